"""A project of Mixpanel: profiles by distinct_id, and the events of each.

Profiles are taken with any token, as Mixpanel does, and lost if it is not ours. Whose id is a word for nobody, or
begins with "blocked", is refused by name, and the others of the request are taken.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

TOKEN, PROPERTY = "rehearsal-token", "vip"
MAX_RECORDS, MAX_BYTES, FIRST_SECOND = 2_000, 2_097_152, 31_536_000  # 1971
_NOBODY = {"", "anonymous", "null", "none", "undefined", "0", "-1", "true", "false"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "token": TOKEN, "property": PROPERTY}


class Fake:
    """The project."""

    def __init__(self) -> None:
        self.profiles: dict[str, dict[str, Any]] = {}
        self.events: dict[tuple[str, int, str, str], dict[str, Any]] = {}

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return self.profiles

    def answer(self, call: Call) -> Reply:
        if call.method != "POST" or call.path not in ("/import", "/engage"):
            return Reply(404, body=b"404 page not found")
        if len(call.body) > MAX_BYTES or len(call.json) > MAX_RECORDS:
            error = f"request exceeds max limit of {MAX_BYTES} bytes or {MAX_RECORDS} records"
            return Reply(413, {"code": 413, "error": error, "status": "Request Entity Too Large"})
        if call.path == "/engage":
            return self._engage(call)
        if call.headers.get("authorization") != f"Basic {b64encode(f'{TOKEN}:'.encode()).decode()}":
            return Reply(401, {"code": 401, "error": "Invalid credentials", "status": "Unauthorized"})
        return self._answer("num_records_imported", [self._event(each) for each in call.json])

    def _engage(self, call: Call) -> Reply:
        faults = [self._change(each) for each in call.json]
        if call.query.get("strict") == "1":
            return self._answer("num_good_events", faults)
        if call.query.get("verbose") == "1":
            return Reply(200, {"status": 0 if any(faults) else 1, "error": "bad record" if any(faults) else None})
        return Reply(200, body=b"0" if any(faults) else b"1")

    def _answer(self, count: str, faults: list[tuple[str, str] | None]) -> Reply:
        failed = [
            {"index": place, "insert_id": "", "field": fault[0], "message": fault[1]}
            for place, fault in enumerate(faults)
            if fault
        ]
        answer = {count: len(faults) - len(failed)}
        if not failed:
            return Reply(200, {"code": 200, "status": "OK", **answer})
        error = "some data points in the request failed validation"
        return Reply(400, {"code": 400, "status": "Bad Request", "error": error, "failed_records": failed, **answer})

    def _event(self, sent: dict[str, Any]) -> tuple[str, str] | None:
        """Keep an event, or return the field that is wrong and why."""
        properties = sent.get("properties", {})
        if not sent.get("event"):
            return "event", "'event' must not be missing or blank"
        for name in ("time", "distinct_id", "$insert_id"):
            if name not in properties:
                return f"properties.{name}", f"'properties.{name}' is required"
        if not isinstance(properties["time"], int) or properties["time"] < FIRST_SECOND:
            return "properties.time", "'properties.time' is invalid: must be specified as seconds since epoch"
        if _refused(properties["distinct_id"]) or len(properties["$insert_id"]) > 36:
            return "properties.distinct_id", "'properties.distinct_id' or '$insert_id' is invalid"
        once = (sent["event"], properties["time"], properties["distinct_id"], properties["$insert_id"])
        self.events[once] = properties
        return None

    def _change(self, sent: dict[str, Any]) -> tuple[str, str] | None:
        """Change a profile, or return the field that is wrong and why."""
        operations = [name for name in sent if name in ("$set", "$unset", "$delete")]
        if not sent.get("$token") or len(operations) != 1:
            return "$token", "token, missing or empty, or not exactly one operation"
        who = sent.get("$distinct_id")
        if _refused(who):
            return "$distinct_id", "'$distinct_id' is invalid"
        if sent["$token"] != TOKEN:
            return None
        match operations[0]:
            case "$set":
                self.profiles.setdefault(str(who), {}).update(sent["$set"])
            case "$unset":
                for name in sent["$unset"]:
                    self.profiles.get(str(who), {}).pop(name, None)
            case "$delete":
                self.profiles.pop(str(who), None)
        return None


def _refused(who: Any) -> bool:
    return not isinstance(who, str) or who.lower() in _NOBODY or who.startswith("blocked") or len(who) > 255
