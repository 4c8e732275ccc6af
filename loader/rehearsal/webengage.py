"""An account of WebEngage: 201 queues users, 400 takes none of them and names nobody.

It refuses more than 25 users, an id of more than 100 letters, and a gender that is not one of its own.
"""

import re
from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

KEY, LICENSE, ATTRIBUTE = "rehearsal-key", "~47b6601", "vip"
MAX_USERS, MAX_ID = 25, 100
_GENDERS = {"male", "female", "other"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}")
_BOOLEANS = ("emailOptIn", "smsOptIn", "whatsappOptIn")


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "api_key": KEY, "license_code": LICENSE, "attribute": ATTRIBUTE}


class Fake:
    """Users by userId, or by anonymousId."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return self.users

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {KEY}":
            return Reply(401, {"response": {"status": "error", "message": "Unauthorized"}})
        if (call.method, call.path.replace("%7E", "~")) != ("POST", f"/v1/accounts/{LICENSE}/bulk-users"):
            return Reply(404, {"response": {"status": "error", "message": "Not found"}})
        users = call.json.get("users")
        if not users or len(users) > MAX_USERS or any(_wrong(each) for each in users):
            return Reply(400, {"response": {"status": "error", "message": "Bad request"}})
        for sent in users:
            user = self.users.setdefault(sent.get("userId") or sent["anonymousId"], {})
            own = {name: each for name, each in sent.items() if name not in ("userId", "anonymousId", "attributes")}
            user.update({**own, **sent.get("attributes", {})})
        return Reply(201, {"response": {"status": "queued"}})


def _wrong(sent: Mapping[str, Any]) -> bool:
    who = sent.get("userId") or sent.get("anonymousId")
    return (
        not isinstance(who, str)
        or len(who) > MAX_ID
        or sent.get("gender", "other") not in _GENDERS
        or not _TIME.fullmatch(sent.get("birthDate", "1990-01-01T00:00:00+0000"))
        or any(not isinstance(sent.get(name, True), bool) for name in _BOOLEANS)
        or any(name.startswith("we_") for name in sent.get("attributes", {}))
    )
