"""Jobs: known by their ids, in states, with their errors in their status; and what they may do in a day.

Sources: cloud.google.com/bigquery/docs/reference/rest/v2/jobs, /quotas#table_modifications; read 2026-11. An id is
taken for good: a second job of that id is a `duplicate`, whatever became of the first. A load, a copy or a query with a
destination counts against the table's modifications of the day, also where it fails.
"""

import re
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import duckdb

from standins.bigquery import loads, statements
from standins.bigquery.answers import RefusalError, refused
from standins.bigquery.catalog import PROJECT
from standins.bigquery.faults import Fault
from standins.bigquery.statements import Asked, Result
from standins.bigquery.work import Engine, Work

MODIFICATIONS_A_DAY = 1500
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,1024}")


@dataclass
class Jobs:
    """All jobs of the project."""

    engine: Engine
    storage: str | None
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    waits: dict[str, int] = field(default_factory=dict)  # how often a job will say that it is not done yet
    modifications: Counter[str] = field(default_factory=Counter)
    slow: int = 0  # polls that each new job takes
    allowance: int = MODIFICATIONS_A_DAY
    failures: list[Fault] = field(default_factory=list)  # of jobs that are taken, and fail

    def failing(self, pattern: str, reason: str, **how: Any) -> Fault:
        """Let a job fail whose statement (or `LOAD`, or `COPY`) matches, before it has any effect."""
        self.failures.append(Fault(pattern, "refuse", reason=reason, **how))
        return self.failures[-1]

    def submit(self, body: dict[str, Any], data: bytes | None = None) -> dict[str, Any]:
        """Run a job, and return it as it was right after it was sent."""
        reference = {"projectId": PROJECT, "location": self.engine.catalog.location, **body.get("jobReference", {})}
        job_id = reference.setdefault("jobId", f"job_{uuid.uuid4().hex}")
        if not _ID.fullmatch(job_id):
            raise refused(f"Invalid job ID {job_id!r}")
        if job_id in self.known:
            raise refused(f"Already Exists: Job {PROJECT}:{reference['location']}.{job_id}", reason="duplicate")
        config = body["configuration"]
        for key, value in config.get("labels", {}).items():
            if not _LABEL.fullmatch(key) or not _LABEL.fullmatch(str(value)) or not key[:1].isalpha():
                raise refused(f'Label "{key}: {value}" is not valid')
        now = str(int(time.time() * 1000))
        job = {
            "kind": "bigquery#job",
            "id": f"{PROJECT}:{reference['location']}.{job_id}",
            "jobReference": reference,
            "configuration": config,
            "statistics": {"creationTime": now, "startTime": now},
            "status": {"state": "RUNNING"},
        }
        self.known[job_id] = job
        self.waits[job_id] = self.slow
        sent = {**job, "status": {"state": "PENDING" if self.slow else "RUNNING"}}
        self._run(job, job_id, data)
        return sent

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job as it is now: its state, and its error where it has failed."""
        if job_id not in self.known:
            raise refused(f"Not found: Job {PROJECT}:{self.engine.catalog.location}.{job_id}", reason="notFound")
        job = self.known[job_id]
        if self.waits[job_id] > 0:
            self.waits[job_id] -= 1
            return {**job, "status": {"state": "RUNNING"}}
        return job

    def is_done(self, job_id: str) -> bool:
        """Return whether a job is done, as one more poll finds it."""
        return bool(self.job(job_id)["status"]["state"] == "DONE")

    def _run(self, job: dict[str, Any], job_id: str, data: bytes | None) -> None:
        config = job["configuration"]
        try:
            if location := job["jobReference"].get("location"):
                self._check_location(location)
            self._fail_as_ordered(config)
            if "query" in config:
                config["jobType"] = "QUERY"
                self._query(job, job_id, config["query"])
            elif "load" in config:
                config["jobType"] = "LOAD"
                job["statistics"]["load"] = self._modifying(config["load"], data)
            else:
                config["jobType"] = "COPY"
                self._modifying(config["copy"], None)
            job["status"] = {"state": "DONE"}
        except RefusalError as error:
            found = {"reason": error.reason, "message": error.message}
            job["status"] = {"state": "DONE", "errorResult": found, "errors": [found]}
        job["statistics"]["endTime"] = str(int(time.time() * 1000))

    def _fail_as_ordered(self, config: dict[str, Any]) -> None:
        text = config.get("query", {}).get("query") or ("LOAD" if "load" in config else "COPY")
        for fault in self.failures:
            if fault.met < fault.times and re.search(fault.pattern, text):
                fault.met += 1
                raise RefusalError(fault.status, fault.reason, fault.message)

    def _check_location(self, location: str) -> None:
        if location.upper() != self.engine.catalog.location.upper():
            raise refused(f"Not found: Dataset was not found in location {location}", reason="notFound")

    def _modifying(self, config: dict[str, Any], data: bytes | None) -> Any:
        """Run a load or a copy in a transaction of its own."""
        reference = config["destinationTable"]
        table = f"{reference['datasetId']}.{reference['tableId'].partition('$')[0]}"
        self.modifications[table] += 1
        if self.modifications[table] > self.allowance:
            message = "Quota exceeded: Your table exceeded quota for imports or query appends per table"
            raise RefusalError(403, "quotaExceeded", message)
        catalog = self.engine.catalog
        before = {
            name: {**each, "schema": {"fields": [dict(one) for one in each["schema"]["fields"]]}}
            for name, each in catalog.tables.items()
        }
        self.engine.root.execute("BEGIN")
        try:
            if "sourceFormat" in config or "sourceUris" in config:
                found = loads.load(self.engine, config, data, self.storage)
            else:
                found = loads.copy(self.engine, config)
            self.engine.root.execute("COMMIT")
        except (RefusalError, duckdb.Error) as error:
            self.engine.root.execute("ROLLBACK")
            catalog.tables.clear()
            catalog.tables.update(before)
            raise error if isinstance(error, RefusalError) else refused(str(error)) from error
        return found

    def _query(self, job: dict[str, Any], job_id: str, config: dict[str, Any]) -> None:
        if config.get("useLegacySql", True):
            raise refused("Legacy SQL is not supported here", reason="invalidQuery")
        work, is_session = self._work(config)
        if is_session:
            job["statistics"]["sessionInfo"] = {"sessionId": work.session_id}
        dataset = config.get("defaultDataset", {}).get("datasetId")
        asked = Asked(dataset, config.get("queryParameters", []), list(self.known.values()))
        try:
            result = statements.run(self.engine, work, config["query"], asked)
        finally:
            if not is_session:
                self.engine.close(work)
        self.results[job_id] = result
        limit = int(config.get("maximumBytesBilled", 0))
        if limit and result.scanned_bytes > limit:
            raise refused(f"Query exceeded limit for bytes billed: {limit}.", reason="bytesBilledLimitExceeded")
        billed = 0 if not result.scanned_bytes else max(-(-result.scanned_bytes // (1 << 20)) << 20, 10 << 20)
        job["statistics"] |= {"totalBytesProcessed": str(result.scanned_bytes), "totalSlotMs": "10"}
        job["statistics"]["query"] = {
            "statementType": result.type,
            "totalBytesProcessed": str(result.scanned_bytes),
            "totalBytesBilled": str(billed),
            "totalSlotMs": "10",
            "cacheHit": False,
            **({} if result.affected is None else {"numDmlAffectedRows": str(result.affected)}),
        }

    def _work(self, config: dict[str, Any]) -> tuple[Work, bool]:
        """Return the session that a query names or wants, or work of its own."""
        properties = {each["key"]: each["value"] for each in config.get("connectionProperties", [])}
        if "session_id" in properties:
            return self.engine.session(properties["session_id"]), True
        return self.engine.work(session=bool(config.get("createSession"))), bool(config.get("createSession"))
