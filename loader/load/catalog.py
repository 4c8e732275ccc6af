"""The tables of a source: what the ledger knows of them, and a list in staging of which there are.

The list is for those who must know the tables without asking the warehouse. Without it nothing breaks: it is made
again with the next load.
"""

from collections.abc import Collection

import msgspec

from loader.config import Config
from loader.core.objects import load_bytes
from loader.core.results import TableFacts
from loader.errors import LoaderError
from loader.ledger import facts
from loader.load.edges import open_edges
from loader.load.reading import reading
from loader.storage import connect


class Listed(msgspec.Struct, frozen=True):
    """The list: the names of a source's tables, in order."""

    schema: str
    tables: list[str]


def table_facts(config: Config, source: str, *, tables: Collection[str]) -> list[TableFacts]:
    """Return the facts of some tables of a source, by name; those that are not there are left out. Counts no rows."""
    schema = config.sources[source].schema
    with reading(config) as (opened, asked), asked.session() as session:
        there = opened.describe(schema)
        names = sorted(there.keys() & set(tables))
        rows = facts.table_rows(session, schema, names)
        history = facts.column_history(session, schema, names)
    return [
        TableFacts(
            schema,
            name,
            rows.get(name, (0, None))[0],
            tuple((column, each.type.value, spelled.get(column, "")) for column, each in there[name].items()),
            changed_at,
            rows.get(name, (0, None))[1],
        )
        for name in names
        for changed_at, spelled in (history.get(name, (None, {})),)
    ]


def list_tables(config: Config, source: str) -> bool:
    """Write the list of a source's tables as they are; return whether it was another before. Twice writes it once."""
    edges = open_edges(config, source)
    with reading(config) as (opened, _):
        found = Listed(edges.settings.schema, sorted(opened.describe(edges.settings.schema)))
    data = msgspec.json.encode(found)
    if load_bytes(edges.staging, _key(source)) == data:
        return False
    edges.staging.write(_key(source), data)
    return True


def listed_tables(config: Config, source: str) -> tuple[str, ...]:
    """Return the tables on the list; none where there is no list, or none that can be read."""
    try:
        staging = connect(config.staging.url, access=config.staging.access, base=config.base)
        data = load_bytes(staging, _key(source))
        return () if data is None else tuple(msgspec.json.decode(data, type=Listed).tables)
    except (LoaderError, msgspec.DecodeError):  # a ValidationError is one too
        return ()


def _key(source: str) -> str:
    return f"tables/{source}.json"
