"""A data plane as RudderStack has it, with Segment's limits: what is over them is taken with 200, and dropped."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

WRITE_KEY = "rehearsal-key"
MAX_BYTES, MAX_EVENTS, MAX_EVENT_BYTES = 500_000, 2_500, 32_000


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "write_key": WRITE_KEY}


class Fake:
    """People by userId or anonymousId, and the events of each."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.seen: set[str] = set()  # messageIds
        self.events = 0

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return self.people

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Basic {b64encode(f'{WRITE_KEY}:'.encode()).decode()}":
            return Reply(401, body=b"Invalid Authorization Header")
        if (call.method, call.path) != ("POST", "/v1/batch"):
            return Reply(404, body=b"not found")
        if len(call.body) > MAX_BYTES:
            return Reply(413, body=b"Request size too large")
        batch = call.json.get("batch")
        if not batch:
            return Reply(400, body=b"Empty batch payload")
        if any(not (each.get("userId") or each.get("anonymousId")) for each in batch):
            return Reply(400, body=b"Request does not have anonymousId or userId")
        for message in batch[:MAX_EVENTS]:
            if len(str(message)) <= 2 * MAX_EVENT_BYTES and message["messageId"] not in self.seen:
                self._take(message)
        return Reply(200, body=b"OK")

    def _take(self, message: dict[str, Any]) -> None:
        self.seen.add(message["messageId"])
        person = self.people.setdefault(message.get("userId") or message["anonymousId"], {})
        if message["type"] == "identify":
            person.update(message["traits"])
        else:
            person[message["event"]] = message["properties"]
            self.events += 1
