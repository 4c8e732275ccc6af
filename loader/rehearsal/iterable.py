"""A hybrid project of Iterable: 200 with `failedUpdates` in small letters, one type per field, one static list.

Users of forgotten.example, and ids that begin with "forgotten", were forgotten under the GDPR. `visits` is a number.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from loader.rehearsal.fake import Call, Reply

API_KEY, LIST = "rehearsal-key", 7
MAX_USERS, MAX_BYTES, MAX_ID = 1_000, 4_000_000, 52


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "api_key": API_KEY, "list_id": LIST}


class Fake:
    """The project."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}  # by userId, else by address
        self.listed: set[str] = set()

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return {who: {**fields, "listed": who in self.listed} for who, fields in self.users.items()}

    def answer(self, call: Call) -> Reply:
        if call.headers.get("api-key") != API_KEY:
            return _error(401, "BadApiKey", "Invalid API key")
        match call.method, call.path.split("/")[2:]:
            case "GET", ["lists"]:
                kept = {"id": LIST, "name": "Customers", "listType": "Standard", "createdAt": 0}
                return Reply(200, {"lists": [kept]})
            case "POST", ["users", "bulkUpdate"]:
                return self._many(call, call.json["users"], None, leave=False)
            case "POST", ["lists", ("subscribe" | "unsubscribe") as verb]:
                return self._many(call, call.json["subscribers"], call.json["listId"], leave=verb == "unsubscribe")
            case "DELETE", ["users", *_, who]:
                found = self.users.pop(unquote(who), None)
                self.listed.discard(unquote(who))
                done = {"msg": "", "code": "Success", "params": None}
                return Reply(200, done) if found is not None else _error(400, "UnknownUserIdError", "does not exist")
        return _error(404, "NotFound", "no such resource")

    def _many(self, call: Call, users: list[dict[str, Any]], listed: int | None, *, leave: bool) -> Reply:
        if len(users) > MAX_USERS or len(call.body) > MAX_BYTES:
            return _error(400, "BatchTooLarge", "the batch is too large")
        if listed not in (None, LIST):
            return _error(400, "BadParams", "error.lists.invalidListId")
        if leave and call.json.get("channelUnsubscribe") is not False:
            raise AssertionError("whoever leaves a list is not to leave the channel")
        if any(len({"email", "userId"} & each.keys()) != 1 for each in users):
            return _error(400, "BadParams", "provide an email or a userId, but not both")
        if any(not isinstance(each.get("dataFields", {}).get("visits", 0), int | None) for each in users):
            return _error(400, "RequestFieldsTypesMismatched", "types do not match")
        failed: dict[str, list[str]] = {}
        for each in users:
            if kind := self._kept(each, listed, leave=leave):
                failed.setdefault(kind, []).append(str(each.get("email") or each.get("userId")).lower())
        missed = sum(len(values) for values in failed.values())
        return Reply(200, {"successCount": len(users) - missed, "failCount": missed, "failedUpdates": failed})

    def _kept(self, sent: dict[str, Any], listed: int | None, *, leave: bool) -> str | None:
        """Keep a user, or return under which name it failed."""
        who = str(sent.get("userId") or sent["email"])
        kind = "UserIds" if "userId" in sent else "Emails"
        if (kind == "Emails" and "@" not in who) or len(who) > (MAX_ID if kind == "UserIds" else 255):
            return f"invalid{kind}"
        if who.endswith("@forgotten.example") or who.lower().startswith("forgotten"):
            return f"forgotten{kind}"
        if leave:
            self.listed.discard(who)
            return None if who in self.users else f"notFound{kind}"
        fields = self.users.setdefault(who, {}) | sent.get("dataFields", {})
        self.users[who] = {name: value for name, value in fields.items() if value is not None}
        if listed is not None:
            self.listed.add(who)
        return None


def _error(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"msg": message, "code": code, "params": None})
