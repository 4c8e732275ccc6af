"""QUERY_HISTORY_BY_USER: every statement took a quarter of a second, and what reads or writes rows scanned 1 MiB.

From docs.snowflake.com/en/sql-reference/functions/query_history: milliseconds, bytes, at most RESULT_LIMIT rows of
those that ended in the range, the newest first; 100 where no limit is given. The columns asked for must be named.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from standins.snowflake.service import answers
from standins.snowflake.service.answers import Json
from standins.snowflake.service.refusals import RefusedError

CALL = re.compile(r"TABLE\(\s*INFORMATION_SCHEMA\.QUERY_HISTORY_BY_USER\((.*)\)\s*\)", re.IGNORECASE | re.DOTALL)
_START = re.compile(r"END_TIME_RANGE_START\s*=>\s*DATEADD\('second',\s*-(\d+),", re.IGNORECASE)
_LIMIT = re.compile(r"RESULT_LIMIT\s*=>\s*(\d+)", re.IGNORECASE)
_SELECTED = re.compile(r"\s*SELECT\s+([\w\s,]+?)\s+FROM\s+TABLE", re.IGNORECASE)
_MOST, _SECONDS = 10_000, 7 * 86_400
_READS = ("copy", "delete", "insert", "merge", "select", "update", "with")
_KINDS = {"query_id": "text", "bytes_scanned": "fixed", "total_elapsed_time": "fixed", "execution_time": "fixed"}


@dataclass(frozen=True)
class Run:
    """A statement that ran."""

    query_id: str
    verb: str
    at: float


def answer(sql: str, call: re.Match[str], runs: Sequence[Run]) -> Json:
    """Return the rows of a query over the function and nothing else."""
    selected = _SELECTED.match(sql)
    if not selected:
        raise RefusedError(1003, "42000", "stand-in: name the columns of the history")
    columns = [name.strip().lower() for name in selected[1].split(",")]
    seconds = int(found[1]) if (found := _START.search(call[1])) else _SECONDS
    limit = int(found[1]) if (found := _LIMIT.search(call[1])) else 100
    if limit > _MOST or seconds > _SECONDS:
        raise RefusedError(1044, "22023", "Invalid argument: RESULT_LIMIT or END_TIME_RANGE_START is out of range.")
    chosen = [each for each in runs if each.at >= time.time() - seconds][::-1][:limit]
    rows = [tuple(_values(each)[name] for name in columns) for each in chosen]
    return answers.rows({name.upper(): _KINDS[name] for name in columns}, rows)


def _values(run: Run) -> dict[str, object]:
    scanned = 1 << 20 if run.verb in _READS else 0
    return {"query_id": run.query_id, "bytes_scanned": scanned, "total_elapsed_time": 250, "execution_time": 200}
