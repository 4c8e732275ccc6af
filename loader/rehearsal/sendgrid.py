"""A SendGrid account: jobs that are done at the second look, custom fields by id, one bad address refuses all.

Addresses at blocked.example pass the first look, and fail in the job.
"""

from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

API_KEY, LIST = "rehearsal-key", "list-1"
MAX_CONTACTS, MAX_IDS, MAX_SEARCHED = 30_000, 100, 50
_CUSTOM = {"w1_T": "plan"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "api_key": API_KEY, "list_id": LIST}


class Fake:
    """The account."""

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, Any]] = {}  # by address
        self.jobs: dict[str, list[dict[str, Any]] | str] = {}  # what waits, or how it ended

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        """Return who is on the list."""
        return {where: each["fields"] for where, each in self.contacts.items() if each["listed"]}

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {API_KEY}":
            return Reply(401, {"errors": [{"message": "authorization required", "field": None}]})
        match call.method, call.path.split("/")[3:]:
            case "GET", ["lists", listed] if listed == LIST:
                return Reply(200, {"id": LIST, "name": "Customers"})
            case "GET", ["field_definitions"]:
                return Reply(200, {"custom_fields": [{"id": key, "name": name} for key, name in _CUSTOM.items()]})
            case "PUT", ["contacts"]:
                return self._put(call.json["contacts"])
            case "GET", ["contacts", "imports", job] if job in self.jobs:
                return self._job(job)
            case "POST", ["contacts", "search", "emails"]:
                return self._search(call.json["emails"])
            case "DELETE", ["contacts" | "lists", *_]:
                return self._delete(call.query.get("ids") or call.query["contact_ids"], whole="ids" in call.query)
        return Reply(404, {"errors": [{"message": "not found", "field": None}]})

    def _put(self, contacts: list[dict[str, Any]]) -> Reply:
        bad = [each for each in contacts if "@" not in each.get("email", "")]
        if bad or len(contacts) > MAX_CONTACTS:
            return Reply(400, {"errors": [{"message": "length should be ≤ 30000, emails valid", "field": "contacts"}]})
        if any(set(each["custom_fields"]) - set(_CUSTOM) for each in contacts):
            return Reply(400, {"errors": [{"message": "invalid custom field id", "field": "contacts"}]})
        job = f"job-{len(self.jobs) + 1}"
        self.jobs[job] = contacts
        return Reply(202, {"job_id": job})

    def _job(self, job: str) -> Reply:
        waiting = self.jobs[job]
        if isinstance(waiting, str):
            return Reply(200, {"id": job, "status": waiting, "results": {"errored_count": int(waiting == "errored")}})
        bad = [each for each in waiting if each["email"].endswith("@blocked.example")]
        for each in waiting:
            if each not in bad:
                custom = {_CUSTOM[key]: value for key, value in each["custom_fields"].items()}
                plain = {name: value for name, value in each.items() if name not in ("custom_fields", "email")}
                there = self.contacts.setdefault(each["email"].lower(), {"fields": {}, "listed": True})
                there["fields"] |= plain | custom
                there["listed"] = True
        self.jobs[job] = "errored" if bad else "completed"
        return Reply(200, {"id": job, "status": "pending", "results": {}})

    def _search(self, emails: list[str]) -> Reply:
        if len(emails) > MAX_SEARCHED:
            return Reply(400, {"errors": [{"message": "at most 50 emails", "field": "emails"}]})
        known = {each: {"contact": {"id": each}} for each in emails if each.lower() in self.contacts}
        return Reply(200 if known else 404, {"result": known})

    def _delete(self, ids: str, *, whole: bool) -> Reply:
        if len(ids.split(",")) > MAX_IDS:
            return Reply(400, {"errors": [{"message": "at most 100 ids", "field": "ids"}]})
        for each in ids.split(","):
            if whole:
                self.contacts.pop(each, None)
            elif each in self.contacts:
                self.contacts[each]["listed"] = False
        return Reply(202, {"job_id": "deletion"})
