"""A HubSpot portal with contacts and one list: 207 with trace ids, small letters, a rate limit that says which.

Contacts whose `plan` is "forbidden" are refused; two inputs with one id are a conflict of the whole batch.
"""

from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

TOKEN, LIST = "rehearsal-token", "7"
MAX_INPUTS = 100


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "token": TOKEN, "list_id": LIST}


class Fake:
    """The portal."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}  # by id
        self.members: set[str] = set()

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the members of the list by email: who has left it is a contact still, but none of ours."""
        return {self.records[each]["email"]: self.records[each] for each in self.members if each in self.records}

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found")
        match call.method, call.path.split("/")[3:]:
            case "GET", ["properties", "contacts"]:
                return Reply(200, {"results": [{"name": "external_id", "hasUniqueValue": True}]})
            case "POST", ["objects", "contacts", "batch", "read"]:
                return self._read(call.json)
            case "POST", ["objects", "contacts", "batch", verb]:
                return self._batch(verb, call.json["inputs"])
            case "PUT", ["lists", listed, "memberships", "add-and-remove"] if listed == LIST:
                self.members |= {str(each) for each in call.json["recordIdsToAdd"]}
                self.members -= {str(each) for each in call.json["recordIdsToRemove"]}
                return Reply(200, {"recordsIdsAdded": call.json["recordIdsToAdd"]})
        return _error(404, "OBJECT_NOT_FOUND", "resource not found")

    def _read(self, asked: dict[str, Any]) -> Reply:
        """Tell the properties that are asked for, empty ones as null; those of nobody else."""
        if len(asked["inputs"]) > MAX_INPUTS:
            return _error(400, "VALIDATION_ERROR", f"Batch size limit is {MAX_INPUTS}")
        wanted = {str(each["id"]).lower() for each in asked["inputs"]}
        known = {key: record for key, record in self.records.items() if record.get(asked["idProperty"]) in wanted}
        told = [
            {"id": key, "properties": {name: record.get(name) or None for name in asked["properties"]}}
            for key, record in known.items()
        ]
        return Reply(200 if len(told) == len(wanted) else 207, {"status": "COMPLETE", "results": told})

    def _batch(self, verb: str, inputs: list[dict[str, Any]]) -> Reply:
        names = [str(each["id"]).lower() for each in inputs]
        if len(inputs) > MAX_INPUTS:
            return _error(400, "VALIDATION_ERROR", f"Batch size limit is {MAX_INPUTS}")
        if len(set(names)) < len(names):
            return _error(409, "CONFLICT", "Duplicate ids in one batch")
        if verb == "archive":
            for name in names:
                self.records.pop(name, None)
            return Reply(204)
        results: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for name, each in zip(names, inputs, strict=True):
            found = next((key for key, record in self.records.items() if record.get(each["idProperty"]) == name), None)
            context = {"objectWriteTraceId": [each["objectWriteTraceId"]]}
            if each["properties"].get("plan") == "forbidden":
                errors.append({"category": "VALIDATION_ERROR", "message": "Property values were not valid"})
            elif found is None and verb == "update":
                errors.append({"category": "OBJECT_NOT_FOUND", "message": "not found"})
            else:
                found = found or str(1000 + len(self.records))
                self.records.setdefault(found, {}).update(each["properties"] | {each["idProperty"]: name})
                results.append({"id": found, "objectWriteTraceId": each["objectWriteTraceId"]})
                continue
            errors[-1] |= {"status": "error", "context": context}
        return Reply(207 if errors else 200, {"status": "COMPLETE", "results": results, "errors": errors})


def _error(status: int, category: str, message: str) -> Reply:
    return Reply(status, {"status": "error", "category": category, "message": message, "correlationId": "0"})
