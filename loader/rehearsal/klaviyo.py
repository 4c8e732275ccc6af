"""An account of Klaviyo: imports in jobs, all or nothing at the door, errors by payload behind it, lists by profile id.

Phone numbers of +850 are in no region that it serves. Addresses at blocked.example pass the door, and fail in the job.
The fourth job is done at the second look, others at the first.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from loader.rehearsal.fake import Call, Reply

API_KEY, LIST = "rehearsal-key", "list1"
MAX_PROFILES, MAX_BYTES, MAX_PROFILE_BYTES, MAX_IDS, MAX_FOUND = 10_000, 5_000_000, 100_000, 1_000, 100
_TYPE = "application/vnd.api+json"


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": f"{url}/api", "api_key": API_KEY, "list_id": LIST}


class Fake:
    """The account."""

    def __init__(self) -> None:
        self.profiles: list[dict[str, Any]] = []
        self.listed: set[str] = set()  # ids of profiles
        self.jobs: dict[str, list[dict[str, Any]]] = {}  # what waits
        self.asked: dict[str, int] = {}
        self.errors: dict[str, list[dict[str, Any]]] = {}

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return {
            each.get("external_id") or each["email"]: {
                **{name: value for name, value in each.items() if name not in ("id", "external_id", "properties")},
                **each["properties"],
                "listed": each["id"] in self.listed,
            }
            for each in self.profiles
        }

    def answer(self, call: Call) -> Reply:
        left = {"RateLimit-Limit": "150", "RateLimit-Remaining": "149", "RateLimit-Reset": "42"}
        return replace(self._answered(call), headers={"Content-Type": _TYPE, **left})

    def _answered(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Klaviyo-API-Key {API_KEY}":
            return _error(401, "not_authenticated", "Missing or invalid private key.", "/data/")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", call.headers.get("revision", "")):
            return _error(400, "invalid", "The revision header is required.", "")
        if call.body and call.headers.get("content-type") != _TYPE:
            return _error(415, "unsupported", "Unsupported media type.", "")
        match call.method, call.path.split("/")[2:]:
            case "GET", ["lists", listed] if listed in (LIST, ""):
                return Reply(200, {"data": {"type": "list", "id": LIST, "attributes": {"name": "Customers"}}})
            case "POST", ["profile-bulk-import-jobs"]:
                return self._import(call)
            case "GET", ["profile-bulk-import-jobs", job] if job in self.jobs:
                return self._job(job)
            case "GET", ["profile-bulk-import-jobs", job, "import-errors"]:
                return self._errors(job, call.query)
            case "GET", ["profiles"]:
                return self._found(call.query)
            case "DELETE", ["lists", listed, "relationships", "profiles"] if listed == LIST:
                gone = {each["id"] for each in call.json["data"]}
                if not 0 < len(gone) <= MAX_IDS:
                    return _error(400, "invalid", "Accepts 1 to 1000 profiles.", "/data")
                self.listed -= gone
                return Reply(204)
        return _error(404, "not_found", "Not found.", "/data/")

    def _import(self, call: Call) -> Reply:
        asked = call.json["data"]
        profiles = asked["attributes"]["profiles"]["data"]
        if len(profiles) > MAX_PROFILES or len(call.body) > MAX_BYTES:
            return _error(413, "invalid", "Payload too large.", "/data")
        if any(each["id"] != LIST for each in asked.get("relationships", {}).get("lists", {}).get("data", [])):
            return _error(400, "invalid", "List ID does not exist.", "/data")
        bad = []
        for place, each in enumerate(profiles):
            sent, where = each["attributes"], f"/data/attributes/profiles/data/{place}/attributes"
            if str(sent.get("phone_number", "")).startswith("+850"):
                bad.append(
                    {"code": "invalid", "title": "Invalid input.", "source": {"pointer": f"{where}/phone_number"}}
                )
            if len(json.dumps(each)) > MAX_PROFILE_BYTES or not any(
                sent.get(name) for name in ("email", "external_id")
            ):
                bad.append({"code": "invalid", "title": "Invalid input.", "source": {"pointer": where}})
        if bad:
            return Reply(400, {"errors": bad})
        job = f"job{len(self.jobs) + 1}"
        self.jobs[job] = profiles
        return Reply(202, {"data": {"type": "profile-bulk-import-job", "id": job, "attributes": {"status": "queued"}}})

    def _job(self, job: str) -> Reply:
        self.asked[job] = self.asked.get(job, 0) + 1
        waits = job == "job4" and self.asked[job] == 1
        if not waits and job not in self.errors:
            self.errors[job] = [error for each in self.jobs[job] if (error := self._kept(each))]
        failed = len(self.errors.get(job, ()))
        state = {"status": "processing" if waits else "complete", "failed_count": failed, "total_count": 0}
        return Reply(200, {"data": {"type": "profile-bulk-import-job", "id": job, "attributes": state}})

    def _kept(self, sent: dict[str, Any]) -> dict[str, Any] | None:
        """Keep a profile, and list it; or return the error."""
        new = sent["attributes"]
        if str(new.get("email", "")).endswith("@blocked.example"):
            error = {"code": "invalid", "title": "Invalid input.", "detail": f"{new['email']} is blocked."}
            return {**error, "source": {"pointer": "/data"}, "original_payload": new}
        names = ("external_id", "email", "phone_number")
        same = (each for name in names for each in self.profiles if new.get(name) and each.get(name) == new[name])
        there = next(same, None)
        if there is None:
            there = {"id": f"01P{len(self.profiles)}", "properties": {}}
            self.profiles.append(there)
        unset = sent.get("meta", {}).get("patch_properties", {}).get("unset", [])
        properties = there["properties"] | {
            name: value for name, value in new["properties"].items() if value is not None
        }
        there |= {name: value for name, value in new.items() if value is not None}
        there["properties"] = {name: value for name, value in properties.items() if name not in unset}
        self.listed.add(there["id"])
        return None

    def _errors(self, job: str, query: Mapping[str, str]) -> Reply:
        size, first = min(int(query.get("page[size]", 20)), 100), int(query.get("page[cursor]", 0))
        some = self.errors.get(job, [])[first : first + size]
        data = [{"type": "import-error", "id": str(place), "attributes": each} for place, each in enumerate(some)]
        more = first + size < len(self.errors.get(job, []))
        link = f"https://a.klaviyo.com/api/x?page%5Bsize%5D={size}&page%5Bcursor%5D={first + size}" if more else None
        return Reply(200, {"data": data, "links": {"next": link}})

    def _found(self, query: Mapping[str, str]) -> Reply:
        wanted = re.fullmatch(r"any\((\w+),(\[.*\])\)", query.get("filter", ""))
        if wanted is None or len(names := json.loads(wanted[2])) > MAX_FOUND:
            return _error(400, "invalid", "Invalid filter provided.", "")
        found = [each for each in self.profiles if each.get(wanted[1]) in names]
        size = min(int(query.get("page[size]", 20)), MAX_FOUND)
        return Reply(200, {"data": [{"type": "profile", "id": each["id"], "attributes": {}} for each in found[:size]]})


def _error(status: int, code: str, detail: str, pointer: str) -> Reply:
    error = {"id": "e1", "status": status, "code": code, "title": "Invalid input.", "detail": detail}
    return Reply(status, {"errors": [{**error, "source": {"pointer": pointer}}]})
