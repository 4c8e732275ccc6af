"""Who we are to Cloud Storage: the service account of `access`, else application default credentials.

obstore knows the file of a service account, what `gcloud auth application-default login` wrote, and the metadata
server of a machine. Other files (workload identity federation, impersonation) need google-auth.
"""

import json
import os
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.config import Access
from loader.errors import ConfigError
from loader.storage.credentials import RETRY

if TYPE_CHECKING:
    from obstore.store import GCSConfig, GCSCredential

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
SERVICE = "https://storage.googleapis.com"
_OF_OBSTORE = ("service_account", "authorized_user")
_BEFORE_THE_END = timedelta(minutes=4)


def endpoint(access: Access | None) -> str:
    """Return where the service is: `access`, else the variable that all of Google's clients heed, else Google."""
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
    if emulator and "://" not in emulator:
        emulator = f"http://{emulator}"
    return ((access and access.endpoint) or emulator or SERVICE).rstrip("/")


def anonymous(access: Access | None) -> bool:
    """Whether requests carry no credentials: at an http:// address, where no token of Google's should go."""
    return endpoint(access).startswith("http://") and not (access and access.service_account_file)


def options(access: Access | None, *, packed: bool) -> dict[str, Any]:
    """Return the keyword arguments of GCSStore: settings, credentials, retries. Makes no request to the service.

    `packed`: objects are to come as stored; else the service unpacks those with `Content-Encoding: gzip`, which have
    another size then and no ranges (cloud.google.com/storage/docs/transcoding). Only for reads: what a listing
    would look like is not said.
    """
    where = endpoint(access)
    config: GCSConfig = {"base_url": where}
    if anonymous(access):
        config["bearer_token"] = "none"  # `skip_signature` is not heeded by writes (tried, 0.12.1)
    elif access and access.service_account_file:
        _check_file(Path(access.service_account_file))
        config["service_account"] = access.service_account_file
    client: dict[str, Any] = {"allow_http": where.startswith("http://")}
    if packed:
        client["default_headers"] = {"accept-encoding": "gzip"}
    found: dict[str, Any] = {"config": config, "client_options": client, "retry_config": RETRY}
    needed = _needs_google_auth() if "bearer_token" not in config and "service_account" not in config else None
    return {**found, "credential_provider": _Tokens(credentials(access))} if needed else found


def credentials(access: Access | None) -> Any:
    """Return google-auth's credentials. ConfigError where it is not installed, or finds none."""
    try:
        import google.auth
        from google.auth.exceptions import GoogleAuthError
        from google.oauth2.service_account import Credentials as Account
    except ImportError as error:
        raise ConfigError(
            "these credentials of Google need google-auth; pip install 'warehouse-loader[gcs]'"
        ) from error
    try:
        if access and access.service_account_file:
            made: Any = Account.from_service_account_file(  # type: ignore[no-untyped-call]  # google-auth's
                access.service_account_file, scopes=[SCOPE]
            )
            return made.with_always_use_jwt_access(True)  # as obstore does: no token to fetch first
        return google.auth.default(scopes=[SCOPE])[0]
    except (GoogleAuthError, OSError, ValueError) as error:
        raise ConfigError(f"no credentials for gs://: {str(error).splitlines()[0]}") from error


class _Tokens:
    """A provider of tokens for obstore."""

    def __init__(self, found: Any) -> None:
        self._found = found

    def __call__(self) -> "GCSCredential":
        """Return a token, a new one where the old one ends soon."""
        from google.auth.transport.requests import Request

        self._found.refresh(Request())
        expiry = self._found.expiry
        return {"token": self._found.token, "expires_at": expiry and expiry.replace(tzinfo=UTC) - _BEFORE_THE_END}


def _check_file(path: Path) -> None:
    """Raise ConfigError unless it is the key of a service account: obstore's own message would show its content."""
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("type")
    except OSError as error:
        raise ConfigError(f"service_account_file {str(path)!r}: {error.strerror}; correct the path") from error
    except (ValueError, AttributeError):
        kind = None
    if kind != "service_account":
        raise ConfigError(
            f"service_account_file {str(path)!r} is no key file of a service account; download one as JSON"
        )


def _needs_google_auth() -> bool:
    """Whether the application default credentials are of a kind that obstore does not know."""
    path = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if not path:
        return False
    try:
        return json.loads(Path(path).read_text(encoding="utf-8")).get("type") not in _OF_OBSTORE
    except OSError as error:
        raise ConfigError(f"GOOGLE_APPLICATION_CREDENTIALS: {path!r}: {error.strerror}; correct it") from error
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"GOOGLE_APPLICATION_CREDENTIALS: {path!r} is no JSON of Google's; correct it") from error
