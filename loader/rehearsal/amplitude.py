"""A project of Amplitude: events and properties of users by their id, and one static cohort.

400 takes no event, and names those that are wrong by their place. A cohort knows only users that were seen in the
product: here nobody whose id begins with "unseen".
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

KEY, SECRET, COHORT, PROPERTY = "rehearsal-key", "rehearsal-secret", "x7k2", "vip"
MAX_EVENTS, MAX_BYTES = 2_000, 20_000_000


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    keys = {"api_key": KEY, "secret_key": SECRET, "cohort_id": COHORT, "property": PROPERTY}
    return {"host": url, "cohort_host": url, **keys}


class Fake:
    """Users by id."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.cohort: set[str] = set()
        self.seen: set[str] = set()  # insert_ids

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return {name: {**found, "$cohort": name in self.cohort} for name, found in self.users.items()}

    def answer(self, call: Call) -> Reply:
        match call.method, call.path:
            case "POST", "/batch":
                return self._batch(call)
            case "POST" | "GET", "/api/3/cohorts" | "/api/3/cohorts/membership":
                if call.headers.get("authorization") != f"Basic {b64encode(f'{KEY}:{SECRET}'.encode()).decode()}":
                    return Reply(401, {"error": {"error": "UNAUTHORIZED", "message": "Invalid credentials"}})
                if call.method == "GET":
                    return Reply(200, {"cohorts": [{"id": COHORT, "name": "VIP", "size": len(self.cohort)}]})
                return self._membership(call.json)
        return Reply(404, body=b"<html>not found</html>")

    def _batch(self, call: Call) -> Reply:
        body, events = call.json, call.json.get("events")
        if body.get("api_key") != KEY:
            return _invalid(f"Invalid API key: {body.get('api_key')}")
        if not events:
            return _invalid("Request missing required field", missing_field="events")
        if len(events) > MAX_EVENTS or len(call.body) > MAX_BYTES:
            return Reply(413, {"code": 413, "error": "Payload too large"})
        if faults := _faults(events, body.get("options", {}).get("min_id_length", 5)):
            return _invalid("Request has events with invalid fields", **faults)
        for event in events:
            self._take(event)
        return Reply(200, {"code": 200, "events_ingested": len(events), "payload_size_bytes": len(call.body)})

    def _take(self, event: dict[str, Any]) -> None:
        if event["insert_id"] in self.seen:
            return
        self.seen.add(event["insert_id"])
        user, changes = self.users.setdefault(_name(event), {}), event.get("user_properties", {})
        user.update(changes.get("$set", {}) if event["event_type"] == "$identify" else changes)
        for name in changes.get("$unset", {}):
            user.pop(name, None)
        if event["event_type"] != "$identify":
            user[event["event_type"]] = event.get("event_properties", {})

    def _membership(self, body: dict[str, Any]) -> Reply:
        (change,) = body["memberships"]
        ids = change["ids"]
        if body["cohort_id"] != COHORT or not ids or change["id_type"] != "BY_NAME":
            return Reply(400, {"error": {"error": "INVALID_REQUEST", "message": "Invalid cohort, or no ids"}})
        skipped = [name for name in ids if name.startswith("unseen")]
        if change["operation"] == "ADD":
            self.cohort.update(set(ids) - set(skipped))
        else:
            self.cohort.difference_update(ids)
        result = {"skipped_ids": skipped, "operation": change["operation"]}
        return Reply(200, {"cohort_id": COHORT, "memberships_result": [result]})


def _faults(events: list[dict[str, Any]], shortest: int) -> dict[str, dict[str, list[int]]]:
    """Return what is wrong with which events, as Amplitude writes it."""
    found: dict[str, dict[str, list[int]]] = {}
    for place, event in enumerate(events):
        if not event.get("event_type"):
            found.setdefault("events_with_missing_fields", {}).setdefault("event_type", []).append(place)
        if event.get("time", 0) < 0:
            found.setdefault("events_with_invalid_fields", {}).setdefault("time", []).append(place)
        for name in ("user_id", "device_id"):
            if len(event.get(name, "x" * shortest)) < shortest:
                found.setdefault("events_with_invalid_id_lengths", {}).setdefault(name, []).append(place)
    return found


def _name(event: Mapping[str, Any]) -> str:
    return str(event.get("user_id") or event["device_id"])


def _invalid(error: str, **more: Any) -> Reply:
    return Reply(400, {"code": 400, "error": error, **more})
