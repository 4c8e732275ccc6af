"""How Google's fakes let somebody in: a refresh token becomes an access token, which every other request must have."""

from typing import Any
from urllib.parse import parse_qsl

from loader.rehearsal.fake import Call, Reply

_TOKEN = "ya29.rehearsal"
_CLIENT = {"client_id": "rehearsal-client", "client_secret": "rehearsal-secret", "refresh_token": "rehearsal-refresh"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination asks a fake at `url` for tokens, and speaks to it."""
    return {**_CLIENT, "host": url, "auth_host": url}


def admitted(call: Call) -> Reply | None:
    """Return the answer to who asks for a token, or has not the right one; None lets the call in."""
    if (call.method, call.path) == ("POST", "/token"):
        if dict(parse_qsl(call.body.decode())) != {"grant_type": "refresh_token", **_CLIENT}:
            return Reply(400, {"error": "invalid_grant", "error_description": "Bad Request"})
        return Reply(200, {"access_token": _TOKEN, "expires_in": 3599, "token_type": "Bearer"})
    if call.headers.get("authorization") != f"Bearer {_TOKEN}":
        return refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
    return None


def refused(status: int, code: str, message: str, details: list[dict[str, Any]] | None = None) -> Reply:
    """Return an error as Google's APIs spell it."""
    return Reply(status, {"error": {"code": status, "message": message, "status": code, "details": details or []}})
