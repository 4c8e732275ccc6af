"""`tracks`: what all event tables have in common. It has no parts of its own: it is read from theirs."""

from collections.abc import Mapping
from dataclasses import replace

from loader.core.report import Found, Part, TableReport
from loader.core.schema import family
from loader.core.spec import CONTEXT_PREFIX, TRACKS


def projected(tables: Mapping[str, TableReport]) -> dict[str, TableReport]:
    """Return the report of `tracks` by its name, from those of all tables; nothing where there is no event table."""
    columns: dict[str, Found] = {}
    parts: list[Part] = []
    for name, table in tables.items():
        if family(name, table.call) == TRACKS:
            for column, found in table.columns.items():
                if _common(column):
                    columns[column] = columns.get(column, Found()).joined(found)
            parts += [_part(part) for part in table.parts]
    return {TRACKS: TableReport("track", columns, tuple(parts))} if parts else {}


def _common(column: str) -> bool:
    return column.startswith(CONTEXT_PREFIX)


def _part(part: Part) -> Part:
    """Return a part of an event table as a part of `tracks`."""
    columns = {name: kind for name, kind in part.columns.items() if _common(name)}
    return replace(part, columns=columns, overflow=tuple(filter(_common, part.overflow)))
