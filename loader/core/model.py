"""SQL models: a query in a file, with a header that says what it makes of what, and what must hold of it.

    -- key: sessions
    -- deps: tracks, pages
    -- checks: unique(session_id), not_null(user_id)
    -- One row per visit.

`{schema}` in the query is the schema of a source: a model is made for each. The query is DuckDB's SQL, and written
in its dialect for other warehouses.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from loader.errors import ConfigError

_HEADER = re.compile(r"--\s*(key|deps|checks):\s*(.*)")
_CHECK = re.compile(r"(unique|not_null)\((\w+)\)")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Check:
    """What must hold of a column of a model."""

    kind: str  # unique or not_null
    column: str

    @property
    def name(self) -> str:
        """How it is called in lists."""
        return f"{self.column}_is_{self.kind}"


@dataclass(frozen=True, slots=True)
class Model:
    """A query, and what it is about."""

    key: str
    deps: tuple[str, ...]  # tables of the source, or other models as `models.name`
    checks: tuple[Check, ...]
    description: str
    sql: str

    def query(self, schema: str) -> str:
        """Return the query for a source's schema."""
        return self.sql.replace("{schema}", schema)


def parse(text: str, *, where: str) -> Model:
    """Return the model that a file spells. ConfigError names what its header lacks."""
    lines = text.strip().splitlines()
    head = [line for line in lines if line.startswith("--")]
    found = {match[1]: match[2].strip() for line in head if (match := _HEADER.fullmatch(line.strip()))}
    said = [line.removeprefix("--").strip() for line in head if not _HEADER.fullmatch(line.strip())]
    if not _NAME.fullmatch(found.get("key", "")):
        raise ConfigError(f"{where}: the header needs a line `-- key: name`, in small letters, digits and _")
    sql = "\n".join(line for line in lines if not line.startswith("--")).strip().rstrip(";")
    if not sql:
        raise ConfigError(f"{where}: there is no query below the header")
    return Model(
        found["key"],
        tuple(filter(None, (each.strip() for each in found.get("deps", "").split(",")))),
        tuple(_checks(found.get("checks", ""), where)),
        " ".join(said),
        sql,
    )


def _checks(text: str, where: str) -> Iterator[Check]:
    for word in filter(None, (each.strip() for each in text.split(","))):
        match = _CHECK.fullmatch(word)
        if match is None:
            raise ConfigError(f"{where}: {word!r} is no check; write unique(column) or not_null(column)")
        yield Check(match[1], match[2])
