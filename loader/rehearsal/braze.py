"""A Braze workspace: attributes by external_id, at most 75 objects, errors by place and array.

A user whose `plan` is "forbidden" is refused as a bad value would be; the others of the batch are taken.
"""

from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

API_KEY, ATTRIBUTE = "rehearsal-key", "vip"
MAX_OBJECTS = 75


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "api_key": API_KEY, "attribute": ATTRIBUTE}


class Fake:
    """The workspace."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return self.users

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {API_KEY}":
            return Reply(401, {"message": "Invalid API Key"})
        if (call.method, call.path) != ("POST", "/users/track"):
            return Reply(404, {"message": "Not Found"})
        objects = [each for name in ("attributes", "events", "purchases") for each in call.json.get(name, [])]
        if not objects:
            return Reply(400, {"message": "'attributes', 'events' or 'purchases' must contain at least one object"})
        if len(objects) > MAX_OBJECTS:
            return Reply(400, {"message": f"The max number of objects in a request is {MAX_OBJECTS}"})
        errors = [
            {"type": error, "input_array": "attributes", "index": place}
            for place, each in enumerate(objects)
            if (error := self._kept(each))
        ]
        answer = {"message": "success", "attributes_processed": len(objects) - len(errors)}
        return Reply(201, {**answer, "errors": errors} if errors else answer, {"x-ratelimit-remaining": "2999"})

    def _kept(self, sent: dict[str, Any]) -> str | None:
        """Keep a user's attributes, or return why not."""
        name = sent.get("external_id") or sent.get("braze_id") or sent.get("email")
        if not name:
            return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
        if len(name) > 997:
            return "'external_id' is too long"
        if sent.get("plan") == "forbidden":
            return "The value of 'plan' is not valid"
        if sent.get("_update_existing_only") and name not in self.users:
            return None
        user = self.users.setdefault(name, {})
        for field, value in sent.items():
            if value is None:
                user.pop(field, None)
            elif field not in ("external_id", "braze_id", "_update_existing_only"):
                user[field] = value
        return None
