"""A stream of Google Analytics: 204 to everything, and what is over a limit, unknown or too old is dropped in silence.

The validation server says why, but whether the secret is right it does not say either.
"""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from loader.rehearsal.fake import Call, Reply

SECRET, STREAM = "rehearsal-secret", "G-REHEARSAL"
MAX_BYTES, MAX_EVENTS, MAX_FIELDS, OLDEST_SECONDS = 130_000, 25, 25, 72 * 3600
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_RESERVED = ("firebase_", "ga_", "google_")
_HASH = re.compile(r"[0-9a-f]{64}")
_EVENTS = {"session_start", "first_visit", "first_open", "user_engagement", "error", "app_remove"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "api_secret": SECRET, "stream": STREAM}


class Fake:
    """User properties by client, and how many events were counted."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.events = 0

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return self.people

    def answer(self, call: Call) -> Reply:
        if call.method != "POST" or call.path not in ("/mp/collect", "/debug/mp/collect"):
            return Reply(404, body=b"<html>not found</html>")
        faults = [*_faults(call.body)]
        if call.path.startswith("/debug"):
            told = [{"fieldPath": "events", "description": text, "validationCode": code} for code, text in faults]
            return Reply(200, {"validationMessages": told})
        known = (call.query.get("api_secret"), call.query.get("measurement_id")) == (SECRET, STREAM)
        if known and not faults:
            self._take(call.json)
        return Reply(204)

    def _take(self, body: dict[str, Any]) -> None:
        self.events += len(body["events"])
        person = self.people.setdefault(body["client_id"], {})
        person.update({name: each["value"] for name, each in body.get("user_properties", {}).items()})
        person.update({name: each for event in body["events"] for name, each in event.get("params", {}).items()})
        person.update({name: body[name] for name in ("user_id", "user_data", "consent") if name in body})


def _faults(raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield why Google would not process a request: code, description."""
    body = msgspec.json.decode(raw)
    if len(raw) >= MAX_BYTES:
        yield "EXCEEDED_MAX_ENTITIES", "The request is too large."
    if not isinstance(body.get("client_id"), str):
        yield "VALUE_REQUIRED", "Measurement requires a client_id."
    if body.get("timestamp_micros", time.time() * 10**6) < (time.time() - OLDEST_SECONDS) * 10**6:
        yield "VALUE_OUT_OF_BOUNDS", "Timestamp is more than 72 hours old."
    events = body.get("events", [])
    if not 1 <= len(events) <= MAX_EVENTS:
        yield "EXCEEDED_MAX_ENTITIES", "Between 1 and 25 events are required."
    for place, event in enumerate(events):
        if event["name"] in _EVENTS:
            yield "NAME_RESERVED", f"Event at index: [{place}] has name [{event['name']}] which is reserved."
        yield from _named({event["name"]: ""}, 40, 0)
        yield from _named(event.get("params", {}), 40, 100)
    yield from _named({name: each["value"] for name, each in body.get("user_properties", {}).items()}, 24, 36)
    for hashes in body.get("user_data", {}).values():
        if not all(_HASH.fullmatch(each) for each in hashes):
            yield "VALUE_INVALID", "User data must be SHA-256 in hex."


def _named(values: Mapping[str, Any], longest_name: int, longest: int) -> Iterator[tuple[str, str]]:
    if len(values) > MAX_FIELDS:
        yield "EXCEEDED_MAX_ENTITIES", f"More than {MAX_FIELDS} fields."
    for name, value in values.items():
        if not _NAME.fullmatch(name) or len(name) > longest_name:
            yield "NAME_INVALID", f"Invalid name [{name}]. Names must start with an alphabetic character."
        if name.startswith(_RESERVED):
            yield "NAME_RESERVED", f"The name [{name}] is reserved."
        if not isinstance(value, str | int | float) or isinstance(value, bool) or len(str(value)) > longest:
            yield "VALUE_INVALID", f"The value of [{name}] is not a text or a number, or too long."
