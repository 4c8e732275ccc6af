"""Queries as jobs with ids of ours: a job whose answer was lost is found again by its id, and never runs twice."""

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from loader.core.cost import Cost
from loader.core.warehouse import Row
from loader.warehouses.bigquery.faults import failed, translated
from loader.warehouses.bigquery.patience import Patience

if TYPE_CHECKING:
    from google.cloud import bigquery

_FIRST_WAIT_SECONDS, _MAX_WAIT_SECONDS = 0.05, 2.0
# A text, or a name in back quotes, which are left alone; or one mark that stands for a value.
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\?")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query's job answered: its rows, or how many it changed."""

    rows: list[Row]
    cost: Cost
    session_id: str | None


@dataclass(frozen=True, slots=True)
class Jobs:
    """The client, and what all jobs have in common."""

    client: "bigquery.Client"
    labels: Mapping[str, str]
    patience: Patience

    def query(
        self, sql: str, parameters: Sequence[Any] = (), *, session_id: str | None = None, begin: bool = False
    ) -> Answer:
        """Run a statement, in a session where one is named or, with `begin`, begun; return its rows.

        Of an insert, update, delete or merge: one row, the count.
        """
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(
            query_parameters=list(parameters), labels=dict(self.labels), use_legacy_sql=False
        )
        if session_id:
            config.connection_properties = [bigquery.ConnectionProperty("session_id", session_id)]
        elif begin:
            config.create_session = True
        with translated(_shown(sql)):
            return self._run(sql, config)

    def _run(self, sql: str, config: "bigquery.QueryJobConfig") -> Answer:
        from google.api_core.exceptions import Conflict

        job_id = f"loader_{uuid.uuid4().hex}"
        try:
            job: Any = self.client.query(sql, config, job_id=job_id, retry=self.patience.retry, job_retry=None)
        except Conflict:  # it was sent before, and its answer was lost
            job = self.client.get_job(job_id, retry=self.patience.retry)
        finished(job, self.patience)
        if job.error_result:
            raise failed(_shown(sql), job.error_result)
        if job.num_dml_affected_rows is not None:
            found: list[Row] = [(job.num_dml_affected_rows,)]
        elif job.statement_type == "SELECT":
            found = _rows(job.result(retry=self.patience.retry, job_retry=None))
        else:
            found = []
        seconds = None if job.slot_millis is None else job.slot_millis / 1000
        session = job.session_info.session_id if job.session_info else None
        return Answer(found, Cost(1, job.total_bytes_processed, seconds), session)


def _rows(result: Any) -> list[Row]:
    """Return a query's rows; json, which the client reads, as text again."""
    texts = {place for place, field in enumerate(result.schema) if field.field_type == "JSON"}
    rows: Iterator[Row] = (row[:] for row in result)  # its `values()` copies each value
    if not texts:
        return list(rows)
    return [
        tuple(
            json.dumps(value, ensure_ascii=False) if place in texts and value is not None else value
            for place, value in enumerate(row)
        )
        for row in rows
    ]


def finished(job: Any, patience: Patience) -> None:
    """Wait until a job is done, well or not. The client's own way would take some of a job's errors for the call's."""
    wait = _FIRST_WAIT_SECONDS
    while not job.done(retry=patience.retry):
        patience.wait(wait)
        wait = min(wait * 1.5, _MAX_WAIT_SECONDS)


def _shown(sql: str) -> str:
    return " ".join(sql.split())[:120]


def bound(sql: str, values: Sequence[object]) -> tuple[str, list[Any]]:
    """Return a statement and its parameters. A null is written into it: a parameter's null would need a type."""
    from google.cloud import bigquery

    waiting: list[Any] = list(values)
    parameters: list[Any] = []

    def put(found: re.Match[str]) -> str:
        if found[0] != "?":
            return found[0]
        value = waiting.pop(0)
        if value is None:
            return "NULL"
        parameters.append(bigquery.ScalarQueryParameter(None, kind(value), value))
        return "?"

    return _TOKEN.sub(put, sql), parameters


def kind(value: object) -> str:
    """Return the type of a value, as a parameter has it."""
    match value:
        case bool():
            return "BOOL"
        case int():
            return "INT64"
        case float():
            return "FLOAT64"
        case datetime():
            return "TIMESTAMP"
        case _:
            return "STRING"


def structs(columns: Sequence[str], rows: Sequence[Row]) -> Any:
    """Return rows as one parameter: an array of structs, without the columns that are null in all of them."""
    from google.cloud import bigquery

    kinds = {
        place: next(kind(row[place]) for row in rows if row[place] is not None)
        for place in range(len(columns))
        if any(row[place] is not None for row in rows)
    }
    one: Any = bigquery.ScalarQueryParameterType  # the client's types of parameters have no types
    several: Any = bigquery.StructQueryParameterType
    kind_of_row = several(*(one(of, name=columns[place]) for place, of in kinds.items()))
    members = [
        bigquery.StructQueryParameter(
            None, *(bigquery.ScalarQueryParameter(columns[place], of, row[place]) for place, of in kinds.items())
        )
        for row in rows
    ]
    return bigquery.ArrayQueryParameter(None, kind_of_row, members)
