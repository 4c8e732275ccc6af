"""An instance of Eloqua: definitions, a staging area, syncs that end as success or warning, rejects, one shared list.

Addresses at blocked.example are rejected in the sync. The fourth sync is done at the second look, others at the first.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

SITE, USER, PASSWORD, LIST = "Acme", "ana", "rehearsal-password", 7
MAX_BYTES, MAX_FIELDS, MAX_PAGE = 32_000_000, 100, 1_000
_FIELDS = {"C_EmailAddress", "C_FirstName", "C_Plan1"}
_DESTINATION = f"{{{{ContactList[{LIST}]}}}}"


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "site": SITE, "username": USER, "password": PASSWORD, "list_id": LIST}


class Fake:
    """The instance."""

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, Any]] = {}
        self.listed: set[str] = set()
        self.definitions: dict[str, dict[str, Any]] = {}  # by uri
        self.staged: dict[str, list[dict[str, Any]]] = {}
        self.syncs: dict[str, dict[str, Any]] = {}

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return {where: {**each, "listed": where in self.listed} for where, each in self.contacts.items()}

    def answer(self, call: Call) -> Reply:
        expected = b64encode(f"{SITE}\\{USER}:{PASSWORD}".encode()).decode()
        known = call.headers.get("authorization") == f"Basic {expected}"
        if call.path == "/id":
            base = f"http://{call.headers['host']}"
            return Reply(200, {"urls": {"base": base}} if known else "Not authenticated.")
        if not known:
            return Reply(401, "Not authenticated.")
        match call.method, call.path.split("/")[1:]:
            case "GET", ["api", "bulk", "2.0", "contacts", "lists", listed] if listed == str(LIST):
                return Reply(200, {"name": "Customers", "statement": _DESTINATION, "uri": f"/contacts/lists/{LIST}"})
            case "GET", ["api", "bulk", "2.0", "contacts", "fields"]:
                return Reply(200, {"items": [{"internalName": name} for name in sorted(_FIELDS)], "hasMore": False})
            case "POST", ["api", "bulk", "2.0", "contacts", ("imports" | "syncActions") as kind]:
                return self._define(kind, call.json)
            case "POST", ["api", "bulk", "2.0", "contacts", kind, number, "data"]:
                return self._stage(f"/contacts/{kind}/{number}", call)
            case "POST", ["api", "bulk", "2.0", "syncs"]:
                return self._start(call.json["syncedInstanceUri"])
            case "GET", ["api", "bulk", "2.0", "syncs", number, *rest] if f"/syncs/{number}" in self.syncs:
                return self._asked(f"/syncs/{number}", rest, call.query)
        return Reply(404)

    def _define(self, kind: str, sent: dict[str, Any]) -> Reply:
        fields, actions = sent["fields"], sent.get("syncActions", [])
        unknown = [
            name for name, each in fields.items() if each != f"{{{{Contact.Field({name})}}}}" or name not in _FIELDS
        ]
        if unknown or len(fields) > MAX_FIELDS:
            return _failure("fields", "Must be a reference to an existing object")
        if sent["identifierFieldName"] not in fields or sent["isSyncTriggeredOnImport"] is not False:
            return _failure("identifierFieldName", "Must be one of the fields")
        if any(each["destination"] != _DESTINATION for each in actions) or not 0 < len(sent["name"]) <= 100:
            return _failure("syncActions", "Must reference an existing list")
        uri = f"/contacts/{kind}/{len(self.definitions) + 1}"
        self.definitions[uri] = sent
        return Reply(201, {**sent, "uri": uri})

    def _stage(self, uri: str, call: Call) -> Reply:
        if uri not in self.definitions or len(call.body) > MAX_BYTES:
            return Reply(404)
        self.staged.setdefault(uri, []).extend(call.json)
        return Reply(204)

    def _start(self, uri: str) -> Reply:
        if uri not in self.definitions:
            return _failure("syncedInstanceUri", "Must be a reference to an existing object")
        sync = f"/syncs/{len(self.syncs) + 1}"
        self.syncs[sync] = {"uri": sync, "syncedInstanceUri": uri, "status": "pending", "looks": 0, "rejects": []}
        return Reply(201, {"uri": sync, "status": "pending", "syncedInstanceUri": uri})

    def _asked(self, sync: str, rest: list[str], query: Mapping[str, str]) -> Reply:
        there = self.syncs[sync]
        if rest == ["rejects"]:
            size, first = min(int(query.get("limit", MAX_PAGE)), MAX_PAGE), int(query.get("offset", 0))
            more = len(there["rejects"]) > first + size
            return Reply(200, {"items": there["rejects"][first : first + size], "hasMore": more})
        there["looks"] += 1
        if there["status"] == "pending" and not (sync == "/syncs/4" and there["looks"] == 1):
            self._done(there)
        return Reply(200, {"uri": sync, "status": there["status"]})

    def _done(self, sync: dict[str, Any]) -> None:
        uri = sync["syncedInstanceUri"]
        actions = [each["action"] for each in self.definitions[uri]["syncActions"]]
        for place, row in enumerate(self.staged.pop(uri, ())):
            where = str(row["C_EmailAddress"]).lower()
            if where.endswith("@blocked.example"):
                told = {
                    "message": "Invalid email address.",
                    "statusCode": "ELQ-00002",
                    "invalidFields": ["C_EmailAddress"],
                }
                sync["rejects"].append({**told, "fieldValues": {**row, "C_EmailAddress": where}, "recordIndex": place})
                continue
            if "/imports/" in uri:
                merged = {**self.contacts.get(where, {}), **row}
                self.contacts[where] = {
                    name: each for name, each in merged.items() if name != "C_EmailAddress" and each != ""
                }
            if "add" in actions and where in self.contacts:
                self.listed.add(where)
            elif "remove" in actions:
                self.listed.discard(where)
        sync["status"] = "warning" if sync["rejects"] else "success"


def _failure(field: str, constraint: str) -> Reply:
    return Reply(400, {"failures": [{"field": field, "value": "", "constraint": constraint}]})
