"""Where the rows come from: a file of SQL, a table, or a model of dbt. One statement that only reads, or an error.

The statement is parsed in the warehouse's own dialect before anything runs. What is executed is the text as written.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loader.config import Sync
from loader.core.dialect import Dialect, quoted
from loader.errors import ConfigError

_NAMES = {"postgresql": "postgres"}  # where sqlglot calls a dialect otherwise


def audience(dialect: Dialect, name: str, sync: Sync) -> str:
    """Return the query of a sync's audience. Raises ConfigError, which names the file and the line."""
    if sync.table is not None:
        return f"SELECT * FROM {quoted(dialect, *sync.table.split('.'))}"
    if sync.dbt is not None:
        return f"SELECT * FROM {_model(sync.dbt, Path(sync.manifest))}"
    return query(dialect, Path(sync.audience or ""), f"[syncs.{name}] audience")


def suppressed(dialect: Dialect, name: str, sync: Sync) -> str | None:
    """Return the query for the keys that are never sent, its column named `suppressed_key`; None without one."""
    if sync.suppress is None:
        return None
    text = query(dialect, Path(sync.suppress), f"[syncs.{name}] suppress")
    return f"SELECT {quoted(dialect, sync.key)} AS suppressed_key FROM (\n{text}\n) AS listed"


def query(dialect: Dialect, path: Path, where: str) -> str:
    """Return the one query that a file holds, without what ends it. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: {path} cannot be read as text: {error}") from error
    return _checked(dialect, text, f"{where}: {path}")


def _checked(dialect: Dialect, text: str, where: str) -> str:
    import sqlglot  # takes longer to import than a run with nothing to do may
    from sqlglot import errors, exp

    spoken = _NAMES.get(dialect.name, dialect.name)
    try:
        tokens = sqlglot.tokenize(text, read=spoken)
        found = [each for each in sqlglot.parse(text, read=spoken) if each and not isinstance(each, exp.Semicolon)]
    except errors.ParseError as error:
        first: dict[str, Any] = error.errors[0] if error.errors else {}
        place = f"line {first.get('line')}: " if first else ""
        raise ConfigError(f"{where}: {place}this is not SQL: {first.get('description') or error}") from error
    except errors.SqlglotError as error:
        raise ConfigError(f"{where}: this is not SQL: {str(error).splitlines()[0]}") from error
    if len(found) != 1:
        raise ConfigError(f"{where}: holds {len(found)} statements; write one query")
    acting = (exp.DML, exp.DDL, exp.Drop, exp.Command, exp.Alter, exp.Into)
    acts = next(
        (each for each in found[0].walk() if isinstance(each, acting) and not isinstance(each, exp.Query)), None
    )
    if not isinstance(found[0], exp.Query) or acts is not None:
        what = (acts or found[0]).key.upper()
        raise ConfigError(f"{where}: is {what}; an audience may only read: write one SELECT")
    ends = [token.start for token in tokens if token.token_type.name == "SEMICOLON"]
    return text[: ends[0]] if ends else text


def _model(name: str, manifest: Path) -> str:
    try:
        nodes: dict[str, dict[str, Any]] = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{manifest} cannot be read as a manifest of dbt: {error}; run `dbt compile`") from error
    found = [node["relation_name"] for node in _models(nodes) if node.get("name") == name and node.get("relation_name")]
    if len(found) != 1:
        raise ConfigError(f"{manifest} has {len(found)} models {name!r} that are a table or a view; it needs one")
    return str(found[0])


def _models(nodes: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (node for node in nodes.values() if node.get("resource_type") in ("model", "snapshot", "seed"))
