"""An environment of Heap: user properties by identity, and events once per idempotency_key.

200 with nothing in it for any environment, and what is sent to another is lost; 400 takes nothing and names nobody.
Whose identity begins with "blocked" is such a row.
"""

from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

APP_ID, PROPERTY = "2718281828", "vip"
MAX_ROWS, MAX_IDENTITY, MAX_LETTERS = 1_000, 255, 1_023
_CALLS = {"/api/add_user_properties": "users", "/api/track": "events"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "app_id": APP_ID, "property": PROPERTY}


class Fake:
    """The environment."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.seen: set[str] = set()  # idempotency_keys

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return self.users

    def answer(self, call: Call) -> Reply:
        name = _CALLS.get(call.path)
        if call.method != "POST" or name is None:
            return Reply(404, body=b"Not Found")
        rows = call.json.get(name)
        if not call.json.get("app_id") or not rows:
            return Reply(400, {"error": f"app_id and {name} are required"})
        if len(rows) > MAX_ROWS or any(_wrong(each, is_event=name == "events") for each in rows):
            return Reply(400, {"error": "Invalid request"})
        for row in rows if call.json["app_id"] == APP_ID else ():
            self._take(row)
        return Reply(200, {})

    def _take(self, row: dict[str, Any]) -> None:
        user = self.users.setdefault(row["identity"], {})
        if "event" not in row:
            user.update(row["properties"])
        elif row["idempotency_key"] not in self.seen:
            self.seen.add(row["idempotency_key"])
            user[row["event"]] = row["properties"]


def _wrong(row: dict[str, Any], *, is_event: bool) -> bool:
    who = row.get("identity")
    if not isinstance(who, str) or not who or len(who) > MAX_IDENTITY or who.startswith("blocked"):
        return True
    return (is_event and not row.get("event")) or any(
        name.lower() == "id"
        or len(name) > MAX_LETTERS
        or isinstance(value, bool)
        or not isinstance(value, str | int | float)
        or len(str(value)) > MAX_LETTERS
        for name, value in row["properties"].items()
    )
