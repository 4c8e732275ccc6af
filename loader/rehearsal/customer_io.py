"""A workspace of Customer.io: people by id or email, objects refused by their place with 207, one manual segment.

A person whose `plan` is "forbidden" is refused as a bad value would be. The segment ignores whom it does not know.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from loader.rehearsal.fake import Call, Reply

SITE, API_KEY, SEGMENT = "site", "rehearsal-key", 7
MAX_BYTES, MAX_OBJECT_BYTES, MAX_VALUE_BYTES, MAX_ATTRIBUTES, MAX_IDS = 500_000, 32_000, 1_000, 300, 1_000
_IDENTIFIERS = {"id", "email", "phone", "cio_id"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "site_id": SITE, "api_key": API_KEY, "attribute": "vip", "segment_id": SEGMENT}


class Fake:
    """The workspace."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}  # by whichever identifier they came with
        self.segment: set[str] = set()

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return {who: {**each, "listed": who in self.segment} for who, each in self.people.items()}

    def answer(self, call: Call) -> Reply:
        expected = b64encode(f"{SITE}:{API_KEY}".encode()).decode()
        if call.headers.get("authorization") != f"Basic {expected}":
            return Reply(401, {"meta": {"error": "Unauthorized request"}})
        match call.method, call.path.split("/")[2:]:
            case "GET", ["v1", "accounts", "region"]:
                return Reply(200, {"url": "https://track.customer.io", "region": "us", "environment_id": 3})
            case "POST", ["v2", "batch"]:
                return self._batch(call)
            case "POST", ["v1", "segments", segment, ("add_customers" | "remove_customers") as verb]:
                return self._listed(segment, call.json["ids"], verb)
        return Reply(404, {"meta": {"error": "not found"}})

    def _batch(self, call: Call) -> Reply:
        if len(call.body) > MAX_BYTES:
            error = {"reason": "invalid", "field": "batch", "message": "must be smaller than 500kb"}
            return Reply(400, {"errors": [error]})
        errors = [
            {"batch_index": place, "reason": "invalid", "field": told[0], "message": told[1]}
            for place, each in enumerate(call.json["batch"])
            if (told := self._done(each))
        ]
        return Reply(207, {"errors": errors}) if errors else Reply(200, {})

    def _done(self, sent: dict[str, Any]) -> tuple[str, str] | None:
        """Do what one object says, or return the field that is wrong and why."""
        named = sent.get("identifiers", {})
        if (
            len(named) != 1
            or not set(named) <= _IDENTIFIERS
            or not all(isinstance(each, str) for each in named.values())
        ):
            return "identifiers", "must have one of id, email, phone, cio_id, as a text"
        [(kind, who)] = named.items()
        if not who or len(who.encode()) > (150 if kind == "id" else 254):
            return f"identifiers.{kind}", "is empty or too long"
        if sent.get("type") != "person" or sent.get("action") not in ("identify", "delete"):
            return "action", "is not one of a person's"
        if sent["action"] == "delete":
            self.people.pop(who, None)
            self.segment.discard(who)
            return None
        attributes = dict(sent["attributes"])
        if len(msgspec.json.encode(sent)) > MAX_OBJECT_BYTES or len(attributes) > MAX_ATTRIBUTES:
            return "attributes", "cannot be more than 300, nor 32kb"
        for name, value in attributes.items():
            if len(name.encode()) > 150 or len(str(value).encode()) > MAX_VALUE_BYTES or value == "forbidden":
                return f"attributes.{name}", f"value for attribute '{name}' cannot be longer than 1000 bytes"
        if attributes.pop("_update", False) and who not in self.people:
            return None
        there = self.people.setdefault(who, {}) | attributes
        self.people[who] = {name: value for name, value in there.items() if value not in (None, "")}
        return None

    def _listed(self, segment: str, ids: list[str], verb: str) -> Reply:
        if segment != str(SEGMENT):
            return Reply(404, {"meta": {"errors": ["segment not found"]}})
        if not 0 < len(ids) <= MAX_IDS:
            return Reply(400, {"meta": {"errors": ["ids must have 1 to 1000 entries"]}})
        known = {each for each in ids if each in self.people}
        self.segment = self.segment | known if verb == "add_customers" else self.segment - known
        return Reply(200, {})
