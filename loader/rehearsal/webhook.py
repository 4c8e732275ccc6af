"""A webhook that keeps rows by key, checks the signature, and answers row by row.

It refuses rows whose field `plan` is "forbidden", and knows a batch by its Idempotency-Key. At `/slow` it works on a
batch in a job, which is done when it has been asked for three times.
"""

import hmac
from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

SECRET, TOKEN = "rehearsal-secret", "rehearsal-token"
MAX_ROWS, MAX_BYTES = 1_000, 4_100_000


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"url": f"{url}/hook", "secret": SECRET, "token": TOKEN, "answers": "rows"}


class Fake:
    """The webhook."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.done: dict[str, Reply] = {}  # by Idempotency-Key
        self.asked: dict[str, int] = {}  # job → how often

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return self.rows

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply(401, {"message": "unknown token"})
        if call.method == "GET" and call.path.startswith("/jobs/"):
            return self._job(call.path.removeprefix("/jobs/"))
        if not _signed(call):
            return Reply(403, {"message": "the signature is not that of the body"})
        rows = call.json["rows"]
        if len(rows) > MAX_ROWS or len(call.body) > MAX_BYTES:
            return Reply(413, {"message": "too many rows"})
        key = call.headers.get("idempotency-key", "")
        if rows and key not in self.done:
            self.done[key] = Reply(200, {"rows": [self._keep(row) for row in rows]})
        if call.path == "/slow" and rows:
            return Reply(202, headers={"Location": f"/jobs/{key}"})
        return self.done.get(key, Reply(200, {"rows": []}))

    def _job(self, key: str) -> Reply:
        if key not in self.done:
            return Reply(404, {"message": "no such job"})
        self.asked[key] = self.asked.get(key, 0) + 1
        return self.done[key] if self.asked[key] > 2 else Reply(202, headers={"Location": f"/jobs/{key}"})

    def _keep(self, row: dict[str, Any]) -> dict[str, str]:
        if row["op"] == "remove":
            self.rows.pop(row["key"], None)
        elif row["fields"].get("plan") == "forbidden":
            return {"key": row["key"], "status": "forbidden_plan", "message": "no such plan"}
        else:
            self.rows[row["key"]] = row["fields"]
        return {"key": row["key"], "status": "ok"}


def _signed(call: Call) -> bool:
    at, _, found = call.headers.get("x-signature", "").removeprefix("t=").partition(",v1=")
    expected = hmac.new(SECRET.encode(), f"{at}.".encode() + call.body, "sha256").hexdigest()
    return hmac.compare_digest(found, expected)
