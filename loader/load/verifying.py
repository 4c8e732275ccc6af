"""The tables against the ledger: are all rows that were added there, and is each id there once?"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from loader.config import Config
from loader.core.dialect import quoted
from loader.core.spec import PROFILES
from loader.core.warehouse import Session, Warehouse
from loader.errors import ConfigError
from loader.ledger import facts
from loader.load.edges import open_edges, warehouse
from loader.load.leasing import leased
from loader.load.reading import reading
from loader.load.retyping import Quiet


class Counted(NamedTuple):
    """A table's rows, as loads added them and as the warehouse counts them."""

    table: str
    loaded: int
    found: int


class Repeated(NamedTuple):
    """How many ids a table has more than once."""

    table: str
    ids: int


def counted(config: Config, source: str) -> list[Counted]:
    """Return the tables of a source whose rows are not as many as loads added; empty where all is right.

    Counts every table, but `users` and `accounts`, whose rows change without being added.
    """
    return [each for each in _counted(config, source) if each.loaded != each.found]


def repeated(config: Config, source: str, *, back: timedelta) -> list[Repeated]:
    """Return the tables with an id twice among rows received since `back` ago; empty where all is right."""
    schema, since = config.sources[source].schema, datetime.now(UTC) - back
    with reading(config) as (opened, _), opened.session() as session:
        found = [
            Repeated(table, _repeated(opened, session, schema, table, since))
            for table, columns in sorted(opened.describe(schema).items())
            if table not in PROFILES and {"id", "received_at"} <= columns.keys()
        ]
    return [each for each in found if each.ids]


def set_aside(config: Config, source: str, table: str) -> str:
    """Rename a table, so that a replay makes it anew; return its new name. Its rows stay there.

    Called twice, the second call sets aside what the replay had made by then. ConfigError where there is no such table.
    """
    edges, now = open_edges(config, source), datetime.now(UTC)
    schema, kept = edges.settings.schema, f"{table}_before_{now:%Y%m%d%H%M%S}"
    with (
        leased(edges, Quiet()) as lease,
        warehouse(config, staging=edges.staging) as opened,
        opened.session() as session,
    ):
        lease.check(session)
        if table not in opened.describe(schema) or table in PROFILES:
            raise ConfigError(f"there is no table {schema}.{table} that could be rebuilt from events")
        session.execute(f"ALTER TABLE {quoted(opened.dialect, schema, table)} RENAME TO {quoted(opened.dialect, kept)}")
        facts.forget_rows(session, schema, table, f"set aside {now:%Y-%m-%d %H:%M:%S}", now)
    return kept


def _counted(config: Config, source: str) -> Iterator[Counted]:
    schema = config.sources[source].schema
    with reading(config) as (opened, asked), asked.session() as session:
        there = sorted(opened.describe(schema).keys() - PROFILES.keys())
        loaded = facts.table_rows(session, schema, there)
        for table in (each for each in there if each in loaded):
            name = quoted(opened.dialect, schema, table)
            yield Counted(table, loaded[table][0], int(session.execute(f"SELECT count(*) FROM {name}")[0][0]))


def _repeated(opened: Warehouse, session: Session, schema: str, table: str, since: datetime) -> int:
    name = quoted(opened.dialect, schema, table)
    sql = f"SELECT id FROM {name} WHERE received_at >= ? GROUP BY id HAVING count(*) > 1"
    return int(session.execute(f"SELECT count(*) FROM ({sql}) AS twice", [since])[0][0])
