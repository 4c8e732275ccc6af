"""An account of Blueshift: customers by customer_id, and one custom list.

200 also where customers failed: those whose `email` is at blocked.example do, with the error beside them. The first
request for the list answers 409, as in a conflict.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

KEY, LIST, ATTRIBUTE = "rehearsal-key", 41148, "vip"
MAX_CUSTOMERS, MAX_ON_LIST, MAX_EMAIL = 50, 25, 63
_LISTS = "/api/v1/custom_user_lists"


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "api_key": KEY, "list_id": LIST, "attribute": ATTRIBUTE}


class Fake:
    """The account."""

    def __init__(self) -> None:
        self.customers: dict[str, dict[str, Any]] = {}
        self.listed: set[str] = set()
        self.conflicts = 1

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return {name: {**found, "$listed": name in self.listed} for name, found in self.customers.items()}

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Basic {b64encode(f'{KEY}:'.encode()).decode()}":
            return Reply(401, {"message": "Not authorized"})
        match call.method, call.path:
            case "POST", "/api/v1/customers/bulk":
                return self._bulk(call.json.get("customers"))
            case "GET", path if path == f"{_LISTS}/id/{LIST}":
                return Reply(200, {"id": LIST, "source": "customer_id", "user_count": len(self.listed)})
            case "PUT", path if path == f"{_LISTS}/bulk_add_users_to_list/{LIST}":
                return self._list(call.json, adds=True)
            case "PUT", path if path == f"{_LISTS}/bulk_remove_users_from_list/{LIST}":
                return self._list(call.json, adds=False)
        return Reply(404, {"status": "404", "error": "Not Found"})

    def _bulk(self, sent: list[dict[str, Any]] | None) -> Reply:
        if not isinstance(sent, list):
            return Reply(400, {"error": "bad_request"})
        if len(sent) > MAX_CUSTOMERS:
            return Reply(413, {"message": f"You can upload up to {MAX_CUSTOMERS} users in an API call."})
        failed = [(each, error) for each in sent if (error := _wrong(each))]
        for each in sent:
            if not _wrong(each):
                self.customers.setdefault(each["customer_id"], {}).update(each)
        errors = [{"status": 400, "error_data": {code: [text]}} for _, (code, text) in failed]
        return Reply(200, {"customers": [each for each, _ in failed], "errors": errors})

    def _list(self, body: dict[str, Any], *, adds: bool) -> Reply:
        if self.conflicts:
            self.conflicts -= 1
            return Reply(409, {"message": "Conflict error, please retry"})
        names = body["identifier_values"]
        if body["identifier_key"] != "customer_id":
            return Reply(400, {"errors": [{"detail": "Input params not valid"}]})
        if len(names) > MAX_ON_LIST:
            return Reply(413, {"error": f"You can add maximum {MAX_ON_LIST} users in one api call"})
        self.listed = self.listed | set(names) if adds else self.listed - set(names)
        return Reply(200, {"status": "ok", "errors": []})


def _wrong(sent: Mapping[str, Any]) -> tuple[str, str] | None:
    if not sent.get("customer_id"):
        return "user_identifier_missing", "No valid identifier found"
    where = sent.get("email", "")
    return ("email", "is invalid") if len(where) > MAX_EMAIL or where.endswith("@blocked.example") else None
