"""What Snowflake does, a rule each, read from conformance.toml: what is run before, the statement, and how it ends.

The stand-in must agree with all of them. `verified` says whether the real service was ever asked by us; whoever has
an account can ask it, see `tests/standins/test_snowflake.py`.
"""

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

_FORMAT = "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
_STEPS = {
    "{table}": "CREATE TABLE {s}.T (ID VARCHAR(36) NOT NULL, N NUMBER(38, 0), MADE TIMESTAMP_LTZ, J VARIANT)",
    "{stage}": "CREATE STAGE {s}.S",
    "{count}": "SELECT count(*) FROM {s}.T",
    "{pair}": "CREATE TABLE {s}.P (K VARCHAR, V NUMBER)",
    "{pairs}": "INSERT INTO {s}.P VALUES ('a', 1), ('b', 2)",
}
_PUT = "PUT 'file://{files}/<name>.parquet' @{s}.S/in/ AUTO_COMPRESS = FALSE OVERWRITE = TRUE"
_COPY = f"COPY INTO {{s}}.T FROM @{{s}}.S/in/ FILES = ('<name>.parquet') {_FORMAT}"


class Rule(NamedTuple):
    """One rule. `expected` is the first columns of the rows, or an error number.

    `{s}` is a schema of the rule's own; `{files}` is a folder with small.parquet (ID a, b; N 1, 2; MADE; J json text),
    null.parquet (ID null), long.parquet (ID of 50 characters), word.parquet (N text), more.parquet (ID, N, EXTRA).
    """

    what: str
    before: tuple[str, ...]
    sql: str
    expected: list[tuple[Any, ...]] | int
    source: str
    verified: str


def _statement(step: str) -> str:
    """Return a step in full: `{put} NAME` and `{copy} NAME`, with more options after it, are written short."""
    if found := re.match(r"\{(put|copy)\} (\w+)", step):
        return (_PUT if found[1] == "put" else _COPY).replace("<name>", found[2]) + step[found.end() :]
    return _STEPS.get(step, step)


def _rule(written: dict[str, Any]) -> Rule:
    expected = [tuple(row) for row in written["rows"]] if "rows" in written else int(written["error"])
    before = tuple(map(_statement, written.get("before", ())))
    sql, source = _statement(written["sql"]), written["source"]
    return Rule(written["what"], before, sql, expected, source, written["verified"])


RULES = tuple(map(_rule, tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["rule"]))
