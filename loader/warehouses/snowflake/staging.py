"""Parts → staging tables: PUT to a stage of ours, or from the customer's external stage, and one COPY per table.

What COPY leaves out it leaves out silently, so the staging table has every column of the parts. Columns are matched by
name; without logical types a timestamp would be another instant; FILES names each part, so that a file that somebody
else put there is not loaded (docs.snowflake.com/en/sql-reference/sql/copy-into-table, read 2026-11-21).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from loader.core.dialect import literal, quoted
from loader.core.staging import Delivery, Group, Staged, groups, physical, staged_type, staging_table
from loader.core.warehouse import Site
from loader.warehouses.snowflake.dialect import DIALECT
from loader.warehouses.snowflake.sessions import Statements

STAGE = "parts"  # ours, in the staging schema
_MAX_FILES = 1000  # in one COPY
_OPTIONS = (
    "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE USE_VECTORIZED_SCANNER = TRUE BINARY_AS_TEXT = FALSE) "
    "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT"
)


def prepare(statements: Statements, *, own_stage: bool) -> None:
    """Make the schema that staging tables lie in, and the stage. Twice is fine."""
    statements.run(f"CREATE SCHEMA IF NOT EXISTS {quoted(DIALECT, DIALECT.staging_schema)}")
    if own_stage:
        statements.run(f"CREATE STAGE IF NOT EXISTS {quoted(DIALECT, DIALECT.staging_schema, STAGE)}")


def stage(statements: Statements, site: Site, delivery: Delivery, external: str | None) -> Iterator[Staged]:
    """Make the staging tables of a delivery, anew where there is one, and yield each with what it cost."""
    for index, group in enumerate(groups(delivery.parts)):
        before = statements.cost
        relation = quoted(DIALECT, DIALECT.staging_schema, staging_table(DIALECT, delivery, index))
        columns = ",\n".join(
            f"  {quoted(DIALECT, name)} {staged_type(DIALECT, kind)}"
            for name, kind in physical(delivery, group.columns).items()
        )
        statements.run(f"CREATE OR REPLACE TRANSIENT TABLE {relation} (\n{columns}\n) DATA_RETENTION_TIME_IN_DAYS = 0")
        if external:
            place, files = external, [part.key for part in group.parts]
        else:
            place, files = _sent(statements, site, delivery, index, group)
        for start in range(0, len(files), _MAX_FILES):
            statements.run(copy(relation, place, files[start : start + _MAX_FILES]))
        yield Staged(relation, group.columns, statements.cost.minus(before))


def copy(relation: str, place: str, files: Sequence[str]) -> str:
    """Return the COPY of some files of a place in a stage."""
    listed = ", ".join(literal(DIALECT, each) for each in files)
    return f"COPY INTO {relation} FROM {place} FILES = ({listed}) {_OPTIONS}"


def drop(statements: Statements, delivery: Delivery, staged: Sequence[Staged], *, own_stage: bool) -> None:
    """Drop the staging tables of a delivery, and its files."""
    for each in staged:
        statements.run(f"DROP TABLE IF EXISTS {each.relation}")
    if own_stage and staged:
        statements.run(f"REMOVE {_folder(delivery.load_id)}{delivery.number}/{delivery.table}/")


def clear(statements: Statements, load_id: str, *, own_stage: bool) -> None:
    """Drop what a crash left of a load."""
    found = statements.run(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND STARTSWITH(table_name, ?)",
        [DIALECT.staging_schema.upper(), f"{load_id}_".upper()],
    )
    for (name,) in found:
        statements.run(f"DROP TABLE IF EXISTS {quoted(DIALECT, DIALECT.staging_schema, name)}")
    if own_stage:
        statements.run(f"REMOVE {_folder(load_id)}")


def _sent(statements: Statements, site: Site, delivery: Delivery, index: int, group: Group) -> tuple[str, list[str]]:
    """PUT the parts, each in a folder of its own; return the place and the files in it."""
    place = f"{_folder(delivery.load_id)}{delivery.number}/{delivery.table}/{index}/"
    files = []
    for number, part in enumerate(group.parts):
        path = Path(site.local(part.key))
        statements.run(
            f"PUT {_source(path)} {place}{number}/ AUTO_COMPRESS = FALSE SOURCE_COMPRESSION = NONE OVERWRITE = TRUE"
        )
        files.append(f"{number}/{path.name}")
    return place, files


def _folder(load_id: str) -> str:
    return f"@{quoted(DIALECT, DIALECT.staging_schema, STAGE)}/{load_id}/"


def _source(path: Path) -> str:
    return literal(DIALECT, f"file://{path}")
