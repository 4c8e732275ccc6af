"""What the conformance cases act with: Google's own client, a dataset, and short words for what they do."""

import io
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.cloud import bigquery

from loader.core.objects import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
# The client would try again for ten minutes where a job failed for a limit.
SOON = bigquery.DEFAULT_RETRY.with_delay(0.05, 0.5, 2.0).with_timeout(2.0)
TIMES = pa.timestamp("us", "UTC")
Columns = dict[str, str]  # name → type, with a ! where it is required


class Refused(NamedTuple):
    """An expected error: its reason, and a part of its message where the reason does not tell."""

    reason: str
    part: str = ""


class Case(NamedTuple):
    """What the real service does, by which page of cloud.google.com/bigquery/docs; `known` is general knowledge."""

    name: str
    act: Callable[["Probe"], object]
    expected: object
    source: str
    verified_on_the_real_service: bool = False


@dataclass(frozen=True)
class Probe:
    """A client, and a dataset in which each case has tables of its own."""

    client: bigquery.Client
    dataset: str
    bucket: Store | None = None  # a prefix of one that is where the dataset is

    def name(self, word: str = "t") -> str:
        """Return the name of a new table."""
        return f"{self.dataset}.{word}_{uuid.uuid4().hex[:12]}"

    def table(self, columns: Columns, **how: Any) -> str:
        """Make a table; return its name."""
        name = self.name()
        made = bigquery.Table(f"{self.client.project}.{name}", schema=fields(columns))
        for key, value in how.items():
            setattr(made, key, value)
        self.client.create_table(made)
        return name

    def q(self, sql: str, *parameters: Any, session: str | None = None, **how: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return [
            tuple(row.values()) for row in self.job(sql, *parameters, session=session, **how).result(job_retry=None)
        ]

    def job(self, sql: str, *parameters: Any, session: str | None = None, **how: Any) -> bigquery.QueryJob:
        """Return a query's job, done."""
        config = bigquery.QueryJobConfig(query_parameters=list(parameters), use_query_cache=False, **how)
        if session:
            config.connection_properties = [bigquery.ConnectionProperty("session_id", session)]
        job = self.client.query(sql, config, job_retry=None, retry=SOON)
        job.result(job_retry=None, retry=SOON)
        return job

    def session(self) -> str:
        """Begin a session; return its id."""
        found = self.job("SELECT 1", create_session=True).session_info
        assert found is not None
        return str(found.session_id)

    def load(self, rows: pa.Table | Sequence[pa.Table], to: str, **how: Any) -> int:
        """Load rows as Parquet; return how many a job says it loaded."""
        job_id = how.pop("job_id", None)
        schema = fields(how.pop("schema")) if "schema" in how else None
        config = bigquery.LoadJobConfig(source_format="PARQUET", schema=schema, **how)
        job = self.client.load_table_from_file(parquet(rows), to, job_id=job_id, job_config=config)
        job.result(retry=SOON)
        return int(job.output_rows or 0)

    def put(self, **objects: pa.Table) -> str:
        """Write rows as objects below a new prefix; return its address. `__` in a name is a slash."""
        if self.bucket is None:
            pytest.skip("no bucket was given")
        folder = uuid.uuid4().hex[:12]
        for name, rows in objects.items():
            self.bucket.write(f"{folder}/{name.replace('__', '/')}.parquet", parquet(rows).getvalue())
        return f"{self.bucket.url}/{folder}"

    def take(self, *uris: str) -> int:
        """Load objects into a new table; return how many rows a job says it loaded."""
        config = bigquery.LoadJobConfig(source_format="PARQUET")
        job = self.client.load_table_from_uri(uris, self.name(), job_config=config)
        job.result(retry=SOON)
        return int(job.output_rows or 0)

    def count(self, table: str) -> int:
        """Return a table's number of rows."""
        return int(self.q(f"SELECT COUNT(*) FROM {table}")[0][0])

    def columns(self, table: str) -> Columns:
        """Return a table's columns, as they were written."""
        names = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
        found = self.client.get_table(table).schema
        return {
            each.name: names.get(each.field_type, each.field_type) + "!" * (each.mode == "REQUIRED") for each in found
        }


def fields(columns: Columns) -> list[bigquery.SchemaField]:
    """Return columns as the client wants them."""
    return [
        bigquery.SchemaField(name, kind.removesuffix("!"), "REQUIRED" if kind.endswith("!") else "NULLABLE")
        for name, kind in columns.items()
    ]


def parquet(rows: Any) -> io.BytesIO:
    """Return rows as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    sink.seek(0)
    return sink


def days(count: int) -> pa.Table:
    """Return a row on each of so many days."""
    at = [datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=each) for each in range(count)]
    return pa.table({"id": [str(each) for each in range(count)], "received_at": pa.array(at, TIMES)})


def outcome(case: Case, probe: Probe) -> object:
    """Return what a case came to; an error as its reason, with the expected part of its message if it has that."""
    try:
        return case.act(probe)
    except (GoogleAPICallError, RetryError) as raised:
        error = raised.cause if isinstance(raised, RetryError) else raised
        listed = [each for each in getattr(error, "errors", ()) if isinstance(each, dict)] or [{}]
        part = case.expected.part if isinstance(case.expected, Refused) else ""
        reason = str(listed[0].get("reason", ""))
        as_expected = isinstance(case.expected, Refused) and reason == case.expected.reason
        return Refused(reason, part if as_expected and part.lower() in str(error).lower() else str(error))
