"""Who may ask the Cloud Storage stand-in: service accounts with real keys, and what they sign.

A self-signed token is one for the service itself (google.aip.dev/auth/4111); `/token` gives others for an assertion
(developers.google.com/identity/protocols/oauth2/service-account).
"""

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from standins.gcs.answers import Answer, Request, of_json
from standins.gcs.bucket import RefusedError

_SCOPES = ("devstorage.read_write", "devstorage.full_control", "cloud-platform")
_MOST_SECONDS = 3600


@dataclass(slots=True)
class Keys:
    """Service accounts by address, and the tokens they were given."""

    accounts: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    def write(
        self, path: Path, *, email: str = "loader@stand-in.iam", token_uri: str = "http://127.0.0.1/token"
    ) -> Path:
        """Make an account, and write the file that its user has."""
        key = rsa.generate_private_key(65537, 2048)
        self.accounts[email] = key
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        account = {"type": "service_account", "client_email": email, "private_key": text, "private_key_id": "1"}
        path.write_text(json.dumps({**account, "token_uri": token_uri, "project_id": "stand-in"}))
        return path

    def check(self, request: Request) -> None:
        """Raise RefusedError unless the request carries a token that we gave, or that an account signed for us."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or not (token in self.tokens or self._signed(token, audience=None)):
            raise RefusedError(401, "authError", "Invalid Credentials")

    def exchange(self, request: Request, endpoint: str) -> Answer:
        """Give a token for a signed assertion."""
        asked = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if not self._signed(asked.get("assertion", ""), audience=f"{endpoint}/token"):
            return of_json({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
        self.tokens.add(token := uuid.uuid4().hex)
        return of_json({"access_token": token, "token_type": "Bearer", "expires_in": _MOST_SECONDS})

    def _signed(self, token: str, *, audience: str | None) -> bool:
        """Whether one of the accounts signed it, for us, and for now."""
        try:
            claims = self._claims(token)
        except (ValueError, KeyError, InvalidSignature):
            return False
        now = time.time()
        timely = claims["iat"] <= now + 60 and now < claims["exp"] <= claims["iat"] + _MOST_SECONDS
        scoped = any(scope in claims.get("scope", "") for scope in _SCOPES)
        meant = claims.get("aud") == audience if audience else scoped or "storage.googleapis.com" in str(claims["aud"])
        return bool(timely and meant)

    def _claims(self, token: str) -> dict[str, Any]:
        head, body, signature = token.split(".")
        claims: dict[str, Any] = json.loads(_decoded(body))
        key = self.accounts[claims["iss"]].public_key()
        key.verify(_decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
        return claims


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
