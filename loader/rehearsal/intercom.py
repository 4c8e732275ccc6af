"""A workspace of Intercom: contacts one at a time, 409 with the id of whoever is there, an archive, one tag.

It has the custom attributes `plan` and `visits`. Addresses at blocked.example are no addresses to it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from loader.rehearsal.fake import Call, Reply

TOKEN, TAG = "rehearsal-token", "9"
_CUSTOM = {"plan", "visits"}
_OWN = {"role", "external_id", "email", "name", "phone", "avatar", "signed_up_at", "last_seen_at", "owner_id"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "token": TOKEN, "tag_id": TAG}


class Fake:
    """The workspace."""

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, Any]] = {}  # by Intercom's id

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return {
            each.get("external_id") or each["email"]: {
                **{name: each[name] for name in ("email", "name") if each.get(name)},
                **each["custom_attributes"],
                "tags": each["tags"],
            }
            for each in self.contacts.values()
            if not each["archived"]
        }

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, "unauthorized", "Access Token Invalid")
        left = {"X-RateLimit-Limit": "1666", "X-RateLimit-Remaining": "1665", "X-RateLimit-Reset": "1487332520"}
        return replace(self._answered(call), headers=left)

    def _answered(self, call: Call) -> Reply:
        if "application/json" not in call.headers.get("accept", "") or "intercom-version" not in call.headers:
            return _error(406, "media_type_not_acceptable", "The Accept header should send application/json")
        match call.method, call.path.split("/")[1:]:
            case "GET", ["tags", tag] if tag in (TAG, ""):
                return Reply(200, {"type": "tag", "id": TAG, "name": "vip"})
            case "POST", ["contacts"]:
                return self._new(call.json)
            case "POST", ["contacts", "search"]:
                return self._found(call.json["query"])
            case method, ["contacts", contact, *rest] if contact in self.contacts:
                return self._one(method, contact, rest, call)
        return _error(404, "not_found", "User Not Found")

    def _new(self, sent: dict[str, Any]) -> Reply:
        for name in ("external_id", "email"):
            for contact, each in self.contacts.items():
                both = name == "email" and sent.get("external_id") and each.get("external_id")
                if sent.get(name) and each.get(name) == sent[name] and not both:
                    kind = "An archived" if each["archived"] else "A"
                    text = f"{kind} contact matching those details already exists with id={contact}"
                    return _error(409, "conflict", text)
        contact = f"5ba682d23d7cf92bef87{len(self.contacts):04d}"
        blank: dict[str, Any] = {"custom_attributes": {}, "tags": [], "archived": False}
        return self._stored(contact, {**blank, "role": sent["role"]}, sent)

    def _one(self, method: str, contact: str, rest: list[str], call: Call) -> Reply:
        there = self.contacts[contact]
        match method, rest:
            case "PUT", [] if not there["archived"]:
                return self._stored(contact, there, call.json)
            case "POST", [("archive" | "unarchive") as verb]:
                there["archived"] = verb == "archive"
                return Reply(200, {"id": contact, "archived": there["archived"]})
            case "POST", ["tags"] if call.json["id"] == TAG and not there["archived"]:
                there["tags"] = ["vip"]
                return Reply(200, {"type": "tag", "id": TAG, "name": "vip"})
            case "DELETE", ["tags", tag] if tag == TAG and there["tags"]:
                there["tags"] = []
                return Reply(200, {"type": "tag", "id": TAG, "name": "vip"})
        return _error(404, "not_found", "Resource Not Found")

    def _stored(self, contact: str, there: dict[str, Any], sent: dict[str, Any]) -> Reply:
        custom = sent.get("custom_attributes", {})
        if unknown := sorted(custom.keys() - _CUSTOM):
            return _error(400, "parameter_invalid", f"Custom attribute '{unknown[0]}' does not exist")
        if strange := sorted(sent.keys() - _OWN - {"custom_attributes", "unsubscribed_from_emails"}):
            return _error(400, "bad_request", f"bad '{strange[0]}' parameter")
        if str(sent.get("email", "")).endswith("@blocked.example"):
            return _error(400, "parameter_invalid", "email is not valid")
        if not sent.get("external_id") and not sent.get("email"):
            return _error(400, "parameter_not_found", "external_id or email is required")
        merged = {name: value for name, value in {**there["custom_attributes"], **custom}.items() if value is not None}
        self.contacts[contact] = {**there, **sent, "custom_attributes": merged}
        return Reply(200, {"type": "contact", "id": contact, "role": "user"})

    def _found(self, query: dict[str, Any]) -> Reply:
        ids = [
            contact
            for contact, each in self.contacts.items()
            if each.get(query["field"]) == query["value"] and not each["archived"]
        ]
        return Reply(200, {"type": "list", "data": [{"id": each, "role": "user"} for each in ids]})


def _error(status: int, code: str, message: str) -> Reply:
    errors = [{"code": code, "message": message}]
    return Reply(status, {"type": "error.list", "request_id": "r1", "errors": errors})
