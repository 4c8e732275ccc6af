"""SQL models → tables in the schema `<schema>_models`, made whole again each time.

In one transaction the old rows go and the new ones come: readers see one or the other. What a model is made of is
never changed by it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from loader.config import Config
from loader.core.dialect import quoted
from loader.core.model import Check, Model, parse
from loader.core.warehouse import Session, Warehouse
from loader.errors import ConfigError
from loader.load.edges import warehouse

_OURS = "sql/models"
_DUCKDB = "duckdb"
_LAKE = "lake"  # DuckDB's SQL; it finds the tables of a statement by their quotes


@dataclass(frozen=True, slots=True)
class Modelled:
    """One model as it was made."""

    table: str  # schema.table
    rows: int
    seconds: float
    columns: tuple[tuple[str, str], ...]  # name, type
    broken: tuple[tuple[str, int], ...]  # check, rows that break it


def models(config: Config) -> list[Model]:
    """Return the models that come with the loader, then those in `sql/models` beside loader.toml, by key.

    One of the same key replaces ours. Raises ConfigError.
    """
    ours = [(each.name, each.read_text()) for each in files("sql").joinpath("models").iterdir()]
    theirs = [(each.name, each.read_text()) for each in sorted(Path(config.base, _OURS).glob("*.sql"))]
    found = [parse(text, where=name) for name, text in (*ours, *theirs) if name.endswith(".sql")]
    return [each for _, each in sorted({model.key: model for model in found}.items())]


def make(config: Config, source: str, model: Model) -> Modelled:
    """Make a model's table of what its source holds now. Twice is the same as once.

    ConfigError where a table that it is made of is not there yet.
    """
    schema, began = config.sources[source].schema, time.monotonic()
    target = f"{schema}_models"
    with warehouse(config) as opened:
        _there(opened, schema, model)
        with opened.session() as session:
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(opened.dialect, target)}")
        made = _made(opened, target, model, translated(model.query(schema), opened.dialect.name))
        columns = opened.describe(target)[model.key]
        with opened.session() as session:
            rows = int(session.execute(f"SELECT count(*) FROM {made}")[0][0])
            broken = tuple((each.name, _broken(session, made, each)) for each in model.checks)
    spelled = tuple((name, each.type.value) for name, each in columns.items())
    return Modelled(f"{target}.{model.key}", rows, time.monotonic() - began, spelled, broken)


def translated(sql: str, dialect: str) -> str:
    """Return a query of DuckDB's SQL in another warehouse's. ConfigError where what that needs is not installed."""
    if dialect == _DUCKDB:
        return sql
    try:
        import sqlglot
    except ImportError:
        raise ConfigError(f"models on {dialect} need sqlglot; install it with: pip install sqlglot") from None
    write = {_LAKE: _DUCKDB}.get(dialect, dialect)
    found: Sequence[str] = sqlglot.transpile(sql, read=_DUCKDB, write=write, identify=dialect == _LAKE)
    return found[0]


def _there(opened: Warehouse, schema: str, model: Model) -> None:
    tables, made = opened.describe(schema), opened.describe(f"{schema}_models")
    for dep in model.deps:
        name = dep.removeprefix("models.")
        if name not in (made if dep.startswith("models.") else tables):
            raise ConfigError(f"model {model.key!r} is made of {dep!r}, which {schema!r} does not have yet; load some")


def _made(opened: Warehouse, target: str, model: Model, query: str) -> str:
    """Fill the model's table; one whose columns are others now is made anew. Return its name."""
    name, fresh = quoted(opened.dialect, target, model.key), quoted(opened.dialect, target, f"{model.key}_next")
    with opened.session() as session:
        session.execute(f"DROP TABLE IF EXISTS {fresh}")
        session.execute(f"CREATE TABLE {fresh} AS {query}")
    made = opened.describe(target)
    with opened.session() as session:
        if made.get(model.key) != made[f"{model.key}_next"]:
            session.execute(f"DROP TABLE IF EXISTS {name}")
            session.execute(f"CREATE TABLE {name} AS SELECT * FROM {fresh}")
        else:
            session.execute(f"DELETE FROM {name} WHERE true")
            session.execute(f"INSERT INTO {name} SELECT * FROM {fresh}")
        session.execute(f"DROP TABLE {fresh}")
    return name


def _broken(session: Session, name: str, check: Check) -> int:
    if check.kind == "not_null":
        sql = f"SELECT count(*) FROM {name} WHERE {check.column} IS NULL"
    else:
        sql = (
            f"SELECT count(*) FROM (SELECT {check.column} FROM {name} GROUP BY {check.column} HAVING count(*) > 1) AS t"
        )
    return int(session.execute(sql)[0][0])
