"""The columns that tables have after a load (RULES 4.4 to 4.7, 6.1, 6.2)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reference.calls import is_event_table, system_columns
from reference.drafts import Cell, Draft
from reference.model import Columns, Settings, State
from reference.values import Kind, kind, met, new_column

OVERFLOW = ("extra", "context_extra")


@dataclass(slots=True)
class Tally:
    """What a load has for one column: the kinds of its values, and how many events have one."""

    kinds: set[Kind] = field(default_factory=set)
    events: int = 0


Tallies = dict[str, Tally]


def of_context(column: str) -> bool:
    """Return whether a column's values come from the context."""
    return column.startswith("context_")


def planned(drafts: Iterable[Draft], existing: State, settings: Settings) -> dict[str, Columns]:
    """Return every table with its columns after the load, the overflow columns not added yet."""
    by_table: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        by_table[draft.table].append(draft)
    after = {table: dict(columns) for table, columns in existing.tables.items()}
    tracked = [draft for table in by_table if is_event_table(table) for draft in by_table[table]]
    everywhere = _tallied(tracked, context=True)
    if tracked:
        after["tracks"] = _grown(after.get("tracks") or system_columns("tracks"), everywhere, settings)
    for table, theirs in by_table.items():
        before = after.get(table) or system_columns(table)
        context, data = _tallied(theirs, context=True), _tallied(theirs, context=False)
        if not is_event_table(table):
            after[table] = _grown(before, context | data, settings)
            continue
        if settings.evolve == "evolve":
            before |= {column: after["tracks"][column] for column in context if column in after["tracks"]}
        after[table] = _grown(before, data, settings)
    _agree_on_context(after, everywhere)
    return after


def _tallied(drafts: Iterable[Draft], *, context: bool) -> Tallies:
    tallies: Tallies = defaultdict(Tally)
    for draft in drafts:
        cells = [cell for cell in draft.cells if of_context(cell.column) is context]
        for cell in cells:
            tallies[cell.column].kinds.add(kind(cell.node))
        for column in _columns(cells):
            tallies[column].events += 1
    return dict(tallies)


def _columns(cells: Iterable[Cell]) -> set[str]:
    return {cell.column for cell in cells}


def _grown(before: Columns, tallies: Tallies, settings: Settings) -> Columns:
    """Return the columns with new types where they need them, and with as many new ones as there is room for."""
    after = dict(before)
    for column in before.keys() & tallies.keys():
        after[column] = met(before[column], tallies[column].kinds)
    if settings.evolve == "evolve":
        room = max(0, settings.max_columns - len(before.keys() - set(OVERFLOW)))
        wanted = sorted(tallies.keys() - before.keys(), key=lambda column: (-tallies[column].events, column))
        for column in wanted[:room]:
            after[column] = new_column(tallies[column].kinds)
    return after


def _agree_on_context(after: Mapping[str, Columns], everywhere: Tallies) -> None:
    """Give the context columns of event tables the type that they have in `tracks`."""
    tracks = after.get("tracks", {})
    for table in filter(is_event_table, after):
        for column in filter(of_context, after[table]):
            if column in tracks:
                after[table][column] = tracks[column]
            elif column in everywhere:
                after[table][column] = met(after[table][column], everywhere[column].kinds)
