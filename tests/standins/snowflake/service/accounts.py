"""Who may log in: a user with a password, a registered public key or an OAuth token.

Rules: docs.snowflake.com/en/user-guide/key-pair-auth (the JWT's issuer is ACCOUNT.USER.SHA256:fingerprint, its subject
ACCOUNT.USER, signed with RS256, valid for an hour at most). Error numbers as the connector's errorcode.py has them.
"""

import base64
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from standins.snowflake.service.refusals import RefusedError

_MAX_SECONDS = 3600


@dataclass(frozen=True)
class User:
    """One user and all ways in."""

    name: str
    password: str
    public_key: str  # PEM
    oauth_token: str


def check(user: User, asked: dict[str, Any]) -> None:
    """Raise unless the login request shows what the user knows."""
    name = str(asked.get("LOGIN_NAME") or "")
    match str(asked.get("AUTHENTICATOR") or "SNOWFLAKE").upper():
        case "SNOWFLAKE":
            if (name.upper(), asked.get("PASSWORD")) != (user.name, user.password):
                raise RefusedError(390100, "08001", "Incorrect username or password was specified.")
        case "SNOWFLAKE_JWT":
            _check_token(user, str(asked.get("ACCOUNT_NAME") or ""), name, str(asked.get("TOKEN") or ""))
        case "OAUTH":
            if asked.get("TOKEN") != user.oauth_token:
                raise RefusedError(390303, "08001", "Invalid OAuth access token.")
        case other:
            raise RefusedError(390105, "08001", f"Authenticator {other} is not known to the stand-in.")


def _check_token(user: User, account: str, name: str, token: str) -> None:
    key = load_pem_public_key(user.public_key.encode())
    print_ = base64.b64encode(sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest())
    subject = f"{account.upper()}.{user.name}"
    try:
        claims = jwt.decode(token, key, algorithms=["RS256"], options={"require": ["iss", "sub", "exp", "iat"]})
    except jwt.InvalidTokenError as error:
        raise RefusedError(390144, "08001", f"JWT token is invalid: {type(error).__name__}.") from None
    wanted = (f"{subject}.SHA256:{print_.decode()}", subject, user.name)
    if (claims["iss"], claims["sub"], name.upper()) != wanted or claims["exp"] - claims["iat"] > _MAX_SECONDS:
        raise RefusedError(390144, "08001", "JWT token is invalid.")
