"""A data extension: a request is picked up at the second look and done at the third; results come in pages of fifty.

Whoever is at blocked.example is refused, a column that there is not refuses a request's every row, and so does a key
that is twice in it.
"""

from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

CLIENT, SECRET, TOKEN = "rehearsal-client", "rehearsal-secret", "rehearsal-token"
EXTENSION, KEY = "Vip People", "SubscriberKey"
MAX_ROWS, MAX_BYTES, PAGE = 30_000, 5_242_880, 50
_COLUMNS = {KEY, "EmailAddress", "Plan", "InAudience"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    client = {"subdomain": "mc-rehearsal", "client_id": CLIENT, "client_secret": SECRET}
    return {**client, "data_extension": EXTENSION, "auth_host": url}


class Fake:
    """The data extension."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, list[dict[str, Any]]] = {}
        self.looks: dict[str, int] = {}
        self.results: dict[str, list[dict[str, str]]] = {}

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return self.rows

    def answer(self, call: Call) -> Reply:
        if (call.method, call.path) == ("POST", "/v2/token"):
            if call.json != {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}:
                return Reply(401, {"error": "invalid_client", "error_description": "Invalid client ID."})
            host = f"http://{call.headers['host']}/"
            return Reply(200, {"access_token": TOKEN, "expires_in": 1079, "rest_instance_url": host})
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply(401, {"message": "Not Authorized", "errorcode": 0, "documentation": ""})
        match call.method, call.path.removeprefix("/data/v1/").split("/"):
            case "GET", ["customobjectdata", "key", "Vip%20People", "rowset"]:
                return Reply(200, {"count": len(self.rows), "page": 1, "items": []})
            case "PUT", ["async", "dataextensions", "key:Vip%20People", "rows"]:
                return self._take(call)
            case "GET", ["async", name, "status"] if name in self.asked:
                return Reply(200, {"requestId": "look", **self._look(name)})
            case "GET", ["async", name, "results"] if name in self.results:
                page = int(call.query.get("page", 1))
                items = self.results[name][(page - 1) * PAGE : page * PAGE]
                return Reply(200, {"page": page, "pageSize": PAGE, "count": len(self.results[name]), "items": items})
        return Reply(404, {"message": "Not Found", "errorcode": 404})

    def _take(self, call: Call) -> Reply:
        items = call.json["items"]
        if len(items) > MAX_ROWS or len(call.body) > MAX_BYTES or not all(each.get(KEY) for each in items):
            return Reply(
                400, {"requestId": "", "resultMessages": [{"resultCode": "BadRequest", "message": "too large"}]}
            )
        name = f"request-{len(self.asked) + 1}"
        self.asked[name] = items
        return Reply(202, {"requestId": name, "resultMessages": []})

    def _look(self, name: str) -> dict[str, Any]:
        self.looks[name] = self.looks.get(name, 0) + 1
        if self.looks[name] == 1:
            return {"resultMessages": []}
        if self.looks[name] == 2:
            return {"status": {"requestStatus": "Pending", "hasErrors": False}}
        keys = [each[KEY] for each in self.asked[name]]
        strange = {column for each in self.asked[name] for column in each} - _COLUMNS or len(set(keys)) < len(keys)
        if name not in self.results:
            self.results[name] = [self._keep(each, strange=bool(strange)) for each in self.asked[name]]
        errors = any(each["status"] == "Error" for each in self.results[name])
        status = {"requestStatus": "Complete", "resultStatus": "Has Errors" if errors else "OK", "hasErrors": errors}
        return {"status": status}

    def _keep(self, row: dict[str, Any], *, strange: bool) -> dict[str, str]:
        if strange or str(row.get("EmailAddress", "")).endswith("@blocked.example"):
            return {"errorCode": "UnexpectedError", "message": "Invalid value.", "status": "Error"}
        there = self.rows.setdefault(row[KEY], {})
        there.update({column: value for column, value in row.items() if column != KEY})
        return {"errorCode": "", "message": "", "status": "OK"}
