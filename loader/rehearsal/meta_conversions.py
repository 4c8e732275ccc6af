"""One dataset of the Conversions API: events once per name and event_id, and a request refused whole for one bad event.

An event is bad if it is older than seven days (of a store: 62), has a person that is no hash, or the currency "XXX".
"""

import re
import time
from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

TOKEN, DATASET = "rehearsal-token", "1202"
MAX_EVENTS, DAY_SECONDS = 1_000, 86_400
_HASHED = {"em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country", "external_id"}
_HASH = re.compile(r"[0-9a-f]{64}")
_SOURCES = {"website", "email", "phone_call", "chat", "physical_store", "system_generated", "other"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "token": TOKEN, "dataset_id": DATASET, "action_source": "system_generated"}


class Fake:
    """Events by their id."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, str], dict[str, Any]] = {}

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return {name: {"event_name": kind, **event} for (kind, name), event in self.events.items()}

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, 190, "Invalid OAuth access token - Cannot parse access token")
        match call.method, call.path.split("/")[2:]:
            case "GET", [dataset] if dataset == DATASET:
                return Reply(200, {"id": DATASET, "name": "Shop"})
            case "POST", [dataset, "events"] if dataset == DATASET:
                return self._events(call.json.get("data"))
        return _error(400, 100, "Unsupported request: the object does not exist", error_subcode=33)

    def _events(self, events: list[dict[str, Any]] | None) -> Reply:
        if not events or len(events) > MAX_EVENTS:
            return _error(400, 100, "Param data must be an array of at most 1000 events")
        for event in events:
            days = 62 if event.get("action_source") == "physical_store" else 7
            if event["event_time"] < time.time() - days * DAY_SECONDS:
                told = {"error_user_title": "Event Timestamp Too Old", "error_user_msg": "The timestamp is too old."}
                return _error(400, 100, "Invalid parameter", error_subcode=2804003, **told)
            if _wrong(event):
                return _error(400, 100, "Invalid parameter")
        for event in events:
            kept = {"user_data": event["user_data"], "custom_data": event["custom_data"]}
            self.events.setdefault((event["event_name"], event["event_id"]), kept)
        return Reply(200, {"events_received": len(events), "messages": [], "fbtrace_id": "A"})


def _wrong(event: Mapping[str, Any]) -> bool:
    person = event["user_data"]
    unhashed = [name for name in person.keys() & _HASHED if not _HASH.fullmatch(str(person[name]))]
    broad = person.keys() <= {"ct", "country", "st", "zp", "ge", "client_user_agent"}
    source = event.get("action_source") not in _SOURCES
    return bool(unhashed) or broad or source or event.get("custom_data", {}).get("currency") == "XXX"


def _error(status: int, code: int, message: str, **more: Any) -> Reply:
    return Reply(status, {"error": {"message": message, "type": "OAuthException", "code": code, **more}})
