"""Access tokens by OAuth 2.0, for a `login`: asked for once a run, and again when the tool has forgotten them."""

from collections.abc import Mapping
from typing import Protocol

from loader.core.destination import Steps
from loader.core.http import Request, address
from loader.core.settings import Secret


class Google(Protocol):
    """Settings with a client of Google's, and the refresh token that a person has given it."""

    @property
    def client_id(self) -> str: ...

    @property
    def client_secret(self) -> Secret: ...

    @property
    def refresh_token(self) -> Secret: ...

    @property
    def auth_host(self) -> str: ...


def google_login(settings: Google, _: int) -> Steps[Mapping[str, str]]:
    """Return the session of an account: its access token, of about an hour."""
    form = {
        "grant_type": "refresh_token",
        "client_id": settings.client_id,
        "client_secret": settings.client_secret.reveal(),
        "refresh_token": settings.refresh_token.reveal(),
    }
    found = yield Request("POST", address(settings.auth_host, "token"), form=form)
    return {"token": str(found.json["access_token"])}


def bearer(session: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a session; none before there is a token."""
    return {"Authorization": f"Bearer {session['token']}"} if "token" in session else {}
