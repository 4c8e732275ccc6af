"""One custom audience: people by the hash of their address, counts and samples of what it could not read.

A cell of a hashed column that is not 64 hex digits is invalid, and so is whoever has the EXTERN_ID "blocked". It tells
samples of at most two, and takes the others.
"""

import re
from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

TOKEN, AUDIENCE = "rehearsal-token", "238"
MAX_ROWS, SAMPLES = 10_000, 2
_PLAIN = {"EXTERN_ID", "MADID", "LOOKALIKE_VALUE"}
_HASH = re.compile(r"[0-9a-f]{64}")


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "token": TOKEN, "audience_id": AUDIENCE}


class Fake:
    """The audience."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, str]] = {}

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return self.people

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, 190, "Error validating access token", error_subcode=463)
        match call.method, call.path.split("/")[2:]:
            case "GET", [audience] if audience == AUDIENCE:
                return Reply(200, {"id": AUDIENCE, "name": "Buyers"})
            case "POST" | "DELETE", [audience, "users"] if audience == AUDIENCE:
                return self._users(call.json["payload"], removes=call.method == "DELETE")
        return _error(400, 100, "Unsupported request: the object does not exist", error_subcode=33)

    def _users(self, payload: dict[str, Any], *, removes: bool) -> Reply:
        schema, data = payload["schema"], payload["data"]
        if len(data) > MAX_ROWS or any(len(row) != len(schema) for row in data):
            return _error(400, 100, "Invalid parameter")
        samples: dict[str, str] = {}
        invalid = 0
        for cells in data:
            row = {name: cell for name, cell in zip(schema, cells, strict=True) if cell != ""}
            unread = [name for name, cell in row.items() if name not in _PLAIN and not _HASH.fullmatch(cell)]
            if unread or row.get("EXTERN_ID") == "blocked":
                invalid += 1
                if len(samples) < SAMPLES:
                    samples[str(cells)] = "could not be read"
            elif removes:
                self.people.pop(_name(row), None)
            else:
                self.people[_name(row)] = row
        counts = {"audience_id": AUDIENCE, "session_id": "1", "num_received": len(data)}
        return Reply(200, {**counts, "num_invalid_entries": invalid, "invalid_entry_samples": samples})


def _name(row: Mapping[str, str]) -> str:
    return row.get("EMAIL") or row.get("PHONE") or row.get("EXTERN_ID") or row["MADID"]


def _error(status: int, code: int, message: str, **more: Any) -> Reply:
    return Reply(status, {"error": {"message": message, "type": "OAuthException", "code": code, **more}})
