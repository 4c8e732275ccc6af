"""The tables of the schema `loader`: what they hold, and how they come to be there."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files

from loader.core import ddl
from loader.core.dialect import Dialect, quoted
from loader.core.report import Found
from loader.core.schema import AddColumn, Column, Columns
from loader.core.types import ColumnType
from loader.core.warehouse import Warehouse
from loader.ledger.sync_tables import SYNC_TABLES

SCHEMA = "loader"
_LAST = "leases"  # the last table to be made: no view reads it
_TEXT, _INTEGER, _TIME = Column(ColumnType.STRING), Column(ColumnType.INTEGER), Column(ColumnType.TIMESTAMP)
_BOOLEAN, _DOUBLE = Column(ColumnType.BOOLEAN), Column(ColumnType.DOUBLE)

TABLES: Mapping[str, Columns] = {
    # One row per load. events = rows + duplicates + filtered + quarantined.
    "loads": {
        **dict.fromkeys(("load_id", "source", "state", "kind"), _TEXT),  # kind: load or replay
        **dict.fromkeys(("files", "stored_bytes", "lines", "events", "rows", "duplicates"), _INTEGER),
        **dict.fromkeys(("filtered", "quarantined", "rejects", "discarded_values"), _INTEGER),
        "conserved": _BOOLEAN,
        **dict.fromkeys(("partition_from", "partition_to", "created_at", "updated_at", "finished_at"), _TIME),
        "error": _TEXT,
    },
    # One row per file and load. A file that was rewritten has another version and is another file.
    "files": {
        **dict.fromkeys(("load_id", "source", "key", "version", "state", "reason"), _TEXT),
        **dict.fromkeys(("ordinal", "size", "lines", "events", "quarantined"), _INTEGER),
        **dict.fromkeys(("modified_at", "partition_at", "changed_at"), _TIME),
    },
    # One row per table and load, committed with the rows it speaks of.
    "load_tables": {
        **dict.fromkeys(("load_id", "schema_name", "table_name", "error"), _TEXT),
        **dict.fromkeys(("rows", "duplicates", "parts"), _INTEGER),
        "seconds": _DOUBLE,
        "loaded_at": _TIME,
        # What it cost, as far as the warehouse tells.
        **dict.fromkeys(("statements", "scanned_bytes"), _INTEGER),
        "server_seconds": _DOUBLE,
    },
    # The history of every column: when it came, why, and by which statement (of a new table: at its first column).
    "columns": {
        **dict.fromkeys(("schema_name", "table_name", "column_name", "change", "type", "old_type"), _TEXT),
        "big": _BOOLEAN,  # an integer column that held more than a double can
        **dict.fromkeys(("load_id", "file", "spelled", "statement"), _TEXT),
        "line": _INTEGER,
        "changed_at": _TIME,
    },
    # Values that their column could not hold.
    "rejects": {
        **dict.fromkeys(("load_id", "source", "schema_name", "table_name", "row_id", "column_name"), _TEXT),
        **dict.fromkeys(("value", "reason", "file"), _TEXT),
        "line": _INTEGER,
        "rejected_at": _TIME,
        "resolved_at": _TIME,
    },
    # Lines that are no events, and files that could not be read (line 0). The line itself stays in its file.
    "quarantine": {
        **dict.fromkeys(("load_id", "source", "file", "version", "reason"), _TEXT),
        **dict.fromkeys(("line", "element"), _INTEGER),
        "quarantined_at": _TIME,
        "resolved_at": _TIME,
    },
    # Who works on a source.
    "leases": {**dict.fromkeys(("source", "holder", "token"), _TEXT), "acquired_at": _TIME, "expires_at": _TIME},
    **SYNC_TABLES,
}


def prepare(warehouse: Warehouse) -> None:
    """Make the ledger's tables, columns and views where they are missing. Twice is the same as once.

    The last table comes after the views: where DDL commits, it says that nothing was cut short.
    """
    there, own = warehouse.describe(SCHEMA), warehouse.dialect
    dialect = replace(own, stored={**own.stored, **own.noted})
    missing = {name: columns for name, columns in TABLES.items() if there.get(name, {}).keys() < columns.keys()}
    if not missing:
        return
    with warehouse.session() as session:
        session.execute(ddl.create_schema(dialect, SCHEMA))
        for name, columns in missing.items():
            if name not in there and name != _LAST:
                session.execute(ddl.create_table(dialect, SCHEMA, name, columns))
            for column, each in columns.items() if name in there else ():
                if column not in there[name]:
                    change = AddColumn(name, column, each.type, Found())
                    session.execute(ddl.add_columns(dialect, SCHEMA, name, [change]))
        for sql in views(dialect):
            session.execute(sql)
        if _LAST in missing and _LAST not in there:
            session.execute(ddl.create_table(dialect, SCHEMA, _LAST, TABLES[_LAST]))


def views(dialect: Dialect) -> Iterator[str]:
    """Yield the statements that make the ledger's views, as the warehouse spells them."""
    for view in sorted(files("sql").joinpath("views").iterdir(), key=lambda each: each.name):
        text = view.read_text()
        for passage, spelled in dialect.views.items():
            text = text.replace(passage, spelled)
        yield re.sub(r'"(\w+)"', lambda name: quoted(dialect, name[1]), text)
