"""Who we are to S3: the keys of `access`, else boto3's chain where it can know more, else obstore's own.

obstore reads AWS_* variables, web identity tokens, and container and machine roles. Profiles and SSO (~/.aws) it does
not know: those need boto3.
"""

import os
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.config import Access
from loader.errors import ConfigError

if TYPE_CHECKING:
    from obstore.store import RetryConfig, S3Config, S3Credential, S3CredentialProvider

# Some seconds, and at most two minutes: a request outlives no credential. `refusals.Patience` goes on from there.
RETRY: "RetryConfig" = {
    "max_retries": 10,
    "retry_timeout": timedelta(minutes=2),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=15), "base": 2},
}
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REFRESH = timedelta(minutes=5)  # boto3 renews a quarter of an hour before the end, so ours never is the older


def options(bucket: str, access: Access | None) -> dict[str, Any]:
    """Return the keyword arguments of S3Store: settings, credentials, retries. Makes no request to S3.

    Raises ConfigError for a profile that cannot be used.
    """
    access = access or Access()
    where = endpoint(access)
    config: S3Config = {}
    if access.region:
        config["region"] = access.region
    if access.kms_key_id:
        config["server_side_encryption"] = "aws:kms"
        config["sse_kms_key_id"] = access.kms_key_id
    if access.path_style is not None:
        config["virtual_hosted_style_request"] = not access.path_style
    if where:
        # obstore puts the bucket into the host itself only where it chooses the host.
        hosted = access.path_style is False
        config["aws_endpoint_url_s3"] = where.replace("://", f"://{bucket}.", 1) if hosted else where
    return {
        "config": config,
        "client_options": {"allow_http": bool(where and where.startswith("http://"))},
        "retry_config": RETRY,
        "credential_provider": _provider(access),
    }


def endpoint(access: Access) -> str | None:
    """Return where the service is, or None: at Amazon's."""
    return access.endpoint or next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)


def keys(access: Access) -> "S3Credential":
    """Return the keys of `access`, which must have some."""
    assert access.access_key_id is not None
    assert access.secret_access_key is not None  # loader.config lets neither stand alone
    return {
        "access_key_id": access.access_key_id.reveal(),
        "secret_access_key": access.secret_access_key.reveal(),
        "token": access.session_token.reveal() if access.session_token else None,
        "expires_at": None,
    }


def _provider(access: Access) -> "S3CredentialProvider | None":
    if access.access_key_id is not None:
        # As settings of S3Store the keys would be mixed with an AWS_SESSION_TOKEN of somebody else (tried, 0.12.1).
        return partial(keys, access)
    if access.profile is not None or _has_profiles():
        return _boto3(access.profile)
    return None


def _has_profiles() -> bool:
    """Whether ~/.aws may say more than the environment does, where keys come first."""
    if os.environ.get("AWS_ACCESS_KEY_ID") and not os.environ.get("AWS_PROFILE"):
        return False
    files = (
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"),
    )
    return bool(os.environ.get("AWS_PROFILE")) or any(Path(file).expanduser().is_file() for file in files)


def _boto3(profile: str | None) -> "S3CredentialProvider | None":
    """Return boto3's credentials, or None where it has none, or is not installed and was not asked for."""
    try:
        from boto3.session import Session
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError as error:
        if profile is None:
            return None
        raise ConfigError(f"profile {profile!r} needs boto3; pip install 'warehouse-loader[boto3]'") from error
    try:
        return Boto3CredentialProvider(Session(profile_name=profile), ttl=_REFRESH)
    except BotoCoreError as error:
        raise ConfigError(
            f"profile {profile or os.environ.get('AWS_PROFILE')!r}: {error}; see ~/.aws/config"
        ) from error
    except ValueError:  # boto3 has none; obstore may still find a role
        if profile is None:
            return None
        raise ConfigError(f"profile {profile!r} has no credentials; log in, or correct ~/.aws/config") from None
