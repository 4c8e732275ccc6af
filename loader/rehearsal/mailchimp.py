"""One Mailchimp list: members by the MD5 of their address, tags, and 200 with `errors` for those it refuses.

Addresses at blocked.example look fake to it. It writes addresses back in small letters.
"""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import md5
from typing import Any

from loader.rehearsal.fake import Call, Reply

API_KEY, LIST, TAG = "rehearsal-us6", "abc123", "vip"
MAX_MEMBERS = 500
_STATUSES = {"subscribed", "unsubscribed", "cleaned", "pending", "transactional"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": f"{url}/3.0", "api_key": API_KEY, "list_id": LIST, "tag": TAG}


class Fake:
    """The list."""

    def __init__(self) -> None:
        self.members: dict[str, dict[str, Any]] = {}  # by MD5

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return {
            member["email_address"]: {"status": member["status"], "tags": member["tags"], **member["merge_fields"]}
            for member in self.members.values()
        }

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization", "").partition(" ")[2] != b64encode(f"loader:{API_KEY}".encode()).decode():
            return _problem(401, "API Key Invalid", "Your API key may be invalid")
        match call.method, call.path.split("/")[1:]:
            case "GET", ["3.0", "lists", listed] if listed == LIST:
                return Reply(200, {"name": "Customers", "stats": {"member_count": len(self.members)}})
            case "POST", ["3.0", "lists", listed] if listed == LIST:
                return self._batch(call.json)
            case "DELETE", ["3.0", "lists", listed, "members", person] if listed == LIST and person in self.members:
                del self.members[person]
                return Reply(204)
            case "POST", ["3.0", "lists", listed, "members", person, "tags"] if person in self.members:
                return self._tags(person, call.json["tags"])
        return _problem(404, "Resource Not Found", "The requested resource could not be found.")

    def _batch(self, asked: dict[str, Any]) -> Reply:
        if len(asked["members"]) > MAX_MEMBERS:
            return _problem(400, "Invalid Resource", "At most 500 members can be in a batch.")
        errors, new, updated = [], 0, 0
        for member in asked["members"]:
            where = member["email_address"].lower()
            if where.endswith("@blocked.example") or member.get("status", "subscribed") not in _STATUSES:
                error = f"{where} looks fake or invalid, please enter a real email address."
                errors.append({"email_address": where, "error": error, "error_code": "ERROR_GENERIC"})
                continue
            person = md5(where.encode(), usedforsecurity=False).hexdigest()
            if person in self.members and not asked["update_existing"]:
                error = f"{where} is already a list member. Do you want to update?"
                errors.append({"email_address": where, "error": error, "error_code": "ERROR_CONTACT_EXISTS"})
                continue
            updated, new = updated + (person in self.members), new + (person not in self.members)
            there = self.members.setdefault(
                person, {"email_address": where, "status": member["status_if_new"], "tags": [], "merge_fields": {}}
            )
            there["status"] = member.get("status", there["status"])
            there["tags"] = sorted({*there["tags"], *member.get("tags", [])})
            there["merge_fields"].update(member["merge_fields"])
        return Reply(200, {"errors": errors, "total_created": new, "total_updated": updated})

    def _tags(self, person: str, tags: list[dict[str, str]]) -> Reply:
        there = set(self.members[person]["tags"])
        for tag in tags:
            there = there - {tag["name"]} if tag["status"] == "inactive" else there | {tag["name"]}
        self.members[person]["tags"] = sorted(there)
        return Reply(204)


def _problem(status: int, title: str, detail: str) -> Reply:
    return Reply(status, {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": ""})
