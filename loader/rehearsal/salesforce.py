"""A Salesforce org with contacts: jobs that are done at the second look, results in the reverse order.

A contact without a last name fails, a job with a column that there is not fails as a whole, data that came twice cannot
be closed, and what is closed stays closed. Ids are of 18 letters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from loader.core.tabular import csv_bytes, csv_rows
from loader.rehearsal.fake import Call, Reply

CLIENT, SECRET, TOKEN = "rehearsal-client", "rehearsal-secret", "00D-rehearsal-token"
MAX_BYTES, ID = 100_000_000, "Loader_Key__c"
_FIELDS = {ID, "Id", "LastName", "Email", "Plan__c", "In_Audience__c"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "client_id": CLIENT, "client_secret": SECRET, "external_id": ID}


@dataclass(slots=True)
class Job:
    """One ingest job."""

    about: Mapping[str, Any]
    state: str = "Open"
    error: str = ""
    uploads: list[bytes] = field(default_factory=list)
    results: dict[str, list[dict[str, str]]] = field(
        default_factory=lambda: {"successfulResults": [], "failedResults": []}
    )


class Fake:
    """The org."""

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, str]] = {}  # by id
        self.jobs: dict[str, Job] = {}
        self.made = 0

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        named = {each[ID]: each for each in self.contacts.values()}
        return {key: {name: value for name, value in each.items() if name != ID} for key, each in named.items()}

    def answer(self, call: Call) -> Reply:
        if call.path == "/services/oauth2/token":
            return self._token(dict(parse_qsl(call.body.decode())), call)
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, "INVALID_SESSION_ID", "Session expired or invalid")
        match call.method, call.path.split("/")[4:]:
            case "GET", ["sobjects", "Contact", "describe"]:
                return Reply(200, {"fields": [{"name": each, "externalId": each == ID} for each in sorted(_FIELDS)]})
            case "POST", ["jobs", "ingest"]:
                return self._begin(call.json)
            case "PUT", ["jobs", "ingest", job, "batches"] if job in self.jobs:
                if len(call.body) > MAX_BYTES or call.headers.get("content-type", "")[:8] != "text/csv":
                    return _error(400, "INVALIDCONTENT", "too large, or no CSV")
                self.jobs[job].uploads.append(call.body)
                return Reply(201)
            case "PATCH", ["jobs", "ingest", job] if job in self.jobs:
                return self._close(job, self.jobs[job], call.json["state"])
            case "GET", ["jobs", "ingest", job] if job in self.jobs:
                return self._look(job, self.jobs[job])
            case "GET", ["jobs", "ingest", job, which] if job in self.jobs and which in self.jobs[job].results:
                rows = self.jobs[job].results[which]
                return Reply(200, body=csv_bytes(rows, delimiter=",", guard_formulas=False))
        return _error(404, "NOT_FOUND", "The requested resource does not exist")

    def _token(self, form: Mapping[str, str], call: Call) -> Reply:
        wanted = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
        if form != wanted:
            return Reply(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
        return Reply(200, {"access_token": TOKEN, "instance_url": f"http://{call.headers['host']}"})

    def _begin(self, about: Mapping[str, Any]) -> Reply:
        if about.get("object") != "Contact" or about.get("operation") not in ("upsert", "update", "delete"):
            return _error(400, "INVALIDENTITY", "no such object or operation")
        if about["operation"] == "upsert" and about.get("externalIdFieldName") != ID:
            return _error(400, "InvalidJob", "the field is no external id")
        job = f"750{len(self.jobs):015}"
        self.jobs[job] = Job(about)
        return Reply(200, {"id": job, "state": "Open", **about})

    def _close(self, name: str, job: Job, state: str) -> Reply:
        if job.state != "Open":
            return _error(400, "INVALIDJOBSTATE", "Closing already closed Job not allowed")
        if state == "UploadComplete" and len(job.uploads) != 1:
            return _error(400, "INVALIDJOB", f"Found multipe contents for job: <{name}>")
        job.state = state
        return Reply(200, {"id": name, "state": state})

    def _look(self, name: str, job: Job) -> Reply:
        if job.state == "InProgress":
            rows = csv_rows(job.uploads[0])
            unknown = {each for row in rows for each in row} - _FIELDS
            for row in [] if unknown else reversed(rows):
                self._work(job, row)
            job.state = "Failed" if unknown else "JobComplete"
            job.error = f"Field name not found : {min(unknown)}" if unknown else ""
        elif job.state == "UploadComplete":
            job.state = "InProgress"
        return Reply(200, {"id": name, "state": job.state, "errorMessage": job.error})

    def _work(self, job: Job, row: dict[str, str]) -> None:
        known = {each[ID]: name for name, each in self.contacts.items()}
        who = known.get(row[ID]) if job.about["operation"] == "upsert" else row["Id"]
        there = self.contacts.get(who or "", {})
        new = {name: value for name, value in row.items() if value != "" and name != "Id"}
        error = ""
        if job.about["operation"] != "upsert" and not there:
            error = "ENTITY_IS_DELETED:entity is deleted:--"
        elif job.about["operation"] != "delete" and (there | new).get("LastName", "#N/A") == "#N/A":
            error = "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"
        if error:
            job.results["failedResults"].append({"sf__Id": who or "", "sf__Error": error, **row})
            return
        if who is None:
            self.made += 1
            who = f"003{self.made:015}"
        merged = {name: value for name, value in (there | new).items() if value != "#N/A"}
        self.contacts[who] = merged
        if job.about["operation"] == "delete":
            del self.contacts[who]
        job.results["successfulResults"].append({"sf__Id": who, "sf__Created": str(not there).lower(), **row})


def _error(status: int, code: str, message: str) -> Reply:
    return Reply(status, [{"errorCode": code, "message": message}])
