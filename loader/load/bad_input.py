"""What could not be loaded: values in the rejects, lines and files in the quarantine. Nothing here writes."""

from collections.abc import Iterable

from loader.config import Config
from loader.config.reading import nearest
from loader.core.compression import unpacked
from loader.core.lines import blocks
from loader.core.results import QuarantineLine, RejectLine
from loader.core.schema import Column, Columns
from loader.core.spec import system_columns
from loader.core.types import ColumnType
from loader.core.warehouse import Warehouse
from loader.errors import ConfigError, CorruptFileError, ObjectChangedError
from loader.ledger import loads, summaries
from loader.ledger.summaries import RejectGroup
from loader.load.reading import reading
from loader.load.restoring import TYPE_REASONS
from loader.load.retyping import call_of
from loader.storage import connect

_SAMPLE_CHARACTERS = 120
_BLOCK_BYTES = 4 << 20
_SPACE = b" \t\r"
_REMEDIES = {
    "same_column": "two keys of one event give this column and the first was kept; rename one of them where the "
    "events are sent",
    "duplicate_key": "a key came twice in one object and the last value was kept; correct it where the events are sent",
    "unstorable_text": "NUL and lone surrogates were stored as U+FFFD; nothing else is lost",
}


def rejects(config: Config, *, source: str | None = None, table: str | None = None, limit: int) -> list[RejectLine]:
    """Return the unresolved rejects by column and reason, most first, with a value of each; `table`: schema.table.

    ConfigError for a table that is not there.
    """
    with reading(config) as (opened, asked), asked.session() as session:
        chosen = None if table is None else _table(opened, table)
        groups = summaries.reject_groups(session, source=source, table=chosen, limit=limit)
        described = {schema: opened.describe(schema) for schema in {group.schema for group in groups}}
        return [_line(group, described[group.schema].get(group.table, {})) for group in groups]


def quarantine(config: Config, *, source: str | None = None, limit: int) -> list[QuarantineLine]:
    """Return the unresolved lines and files in the quarantine, newest first."""
    with reading(config) as (_, asked), asked.session() as session:
        return summaries.quarantined(session, source=source, limit=limit)


def quarantine_text(config: Config, line: QuarantineLine) -> str | None:
    """Return a quarantined line as it is in its file; bytes that are not UTF-8 as escapes.

    None for a whole file, and where the file is gone, was rewritten, or is damaged before the line.
    """
    settings = config.sources.get(line.source)
    with reading(config) as (_, asked), asked.session() as session:
        file = loads.claimed_file(session, line.load_id, line.file)
    if settings is None or file is None or not line.line:
        return None
    events = connect(settings.url, access=settings.access, base=config.base)
    try:
        found = numbered(unpacked(events.read(file)), line.line, settings.max_line_bytes)
    except (ObjectChangedError, CorruptFileError):
        return None
    return None if found is None else found.decode(errors="backslashreplace")


def numbered(chunks: Iterable[bytes], number: int, max_line_bytes: int) -> bytes | None:
    """Return a line of a file by its number, from 1, without the spaces around it; None past the end.

    A longer line than `max_line_bytes` may come without most of its rest.
    """
    passed = 1
    for block in blocks(chunks, _BLOCK_BYTES, max_line_bytes=max_line_bytes):
        count = block.count(b"\n")
        if number < passed + count:
            return block.split(b"\n")[number - passed].strip(_SPACE)
        passed += count
    return None


def _table(opened: Warehouse, written: str) -> tuple[str, str]:
    schema, _, name = written.partition(".")
    known = opened.describe(schema)
    if name not in known:
        raise ConfigError(f"there is no table {written!r}{nearest(name, known)}; write schema.table")
    return schema, name


def _line(group: RejectGroup, columns: Columns) -> RejectLine:
    table = f"{group.schema}.{group.table}"
    sample = group.value
    if len(sample) > _SAMPLE_CHARACTERS:
        sample = sample[:_SAMPLE_CHARACTERS] + "…"
    remedy = _remedy(group, columns)
    return RejectLine(table, group.column, group.reason, group.members, sample, group.file, group.line, remedy)


def _remedy(group: RejectGroup, columns: Columns) -> str:
    if group.reason == "schema_frozen" and group.column not in columns:
        return f'set `evolve = "evolve"` in [sources.{group.source}] to take such values from now on'
    if group.reason != "schema_frozen" and group.reason not in TYPE_REASONS:
        return _REMEDIES.get(group.reason, "correct them where the events are sent")
    call = call_of(group.table, columns)
    if call is None or group.column in system_columns(call):
        return f"{group.column} must be an ISO 8601 timestamp; correct it where the events are sent"
    found = columns.get(group.column, Column(ColumnType.STRING)).type
    keeps = found is ColumnType.JSON or group.reason == "schema_frozen"
    wanted = found if keeps else ColumnType.STRING
    return f"`loader retype {group.schema}.{group.table} {group.column} {wanted.value}` puts them back"
