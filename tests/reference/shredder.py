"""The whole load of some files into a warehouse that is a value: `shred`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from reference import calls, people
from reference.columns import OVERFLOW, planned
from reference.drafts import Draft, draft
from reference.duplicates import DraftedRow, new_rows
from reference.lines import Event, events
from reference.model import Column, Columns, File, Outcome, Quarantined, Row, Settings, State
from reference.rows import Written, track_row, written

DERIVED = ("tracks", "users", "accounts")  # their rows are not counted
NOT_IN_ROWS = ("loaded_at", "load_id")
FILTERED = "filtered"
EMPTY = State()


def shred(files: Sequence[File], settings: Settings, existing: State = EMPTY) -> Outcome:
    """Return the warehouse after loading the files; `existing` is left as it is."""
    drafts, quarantine, filtered = _drafts(files, settings, existing)
    tables = planned(drafts, existing, settings)
    results = [written(each, tables[each.table], settings) for each in drafts]
    incoming = _by_table(results, tables, settings)
    _add_overflow(tables, incoming)
    new: dict[str, list[Row]] = {table: [] for table in tables}
    for table, drafted in incoming.items():
        new[table] = new_rows(drafted, existing.rows.get(table, ()), settings.dedupe_window)
    rows = {table: _whole([*existing.rows.get(table, ()), *new[table]], tables[table]) for table in tables}
    _add_people(tables, rows)
    fresh = sum(len(new[table]) for table in new if table not in DERIVED)
    counts = {
        "events": len(drafts) + filtered + len(quarantine),
        "rows": fresh,
        "duplicates": len(drafts) - fresh,
        "filtered": filtered,
        "quarantined": len(quarantine),
        "discarded_values": sum(result.discarded for result in results),
    }
    return Outcome(tables, rows, [each for result in results for each in result.rejects], quarantine, counts)


def _drafts(files: Sequence[File], settings: Settings, existing: State) -> tuple[list[Draft], list[Quarantined], int]:
    """Return the drafts of all events that become rows, the quarantine, and how many events are filtered."""
    found, quarantine = events(files, settings.max_line_bytes)
    drafts: list[Draft] = []
    filtered = 0
    for event in found:
        reason = _turned_away(event, settings, existing)
        if reason is None:
            drafts.append(draft(event, settings))
        elif reason == FILTERED:
            filtered += 1
        else:
            quarantine.append(Quarantined(event.file.key, event.line, reason))
    return drafts, quarantine, filtered


def _turned_away(event: Event, settings: Settings, existing: State) -> str | None:
    """Return the reason for quarantining an event, or FILTERED; None where it becomes a row."""
    if reason := calls.fault(event.fields):
        return reason
    type_ = calls.call_type(event.fields)
    name = str(event.fields["event"].value) if type_ == "track" else type_
    included = not settings.include_events or _matched(name, settings.include_events)
    if not included or _matched(name, settings.exclude_events):
        return FILTERED
    needed = {calls.table(event.fields), calls.CALLS[type_].table}
    if settings.evolve == "evolve" or needed <= existing.tables.keys():
        return None
    return "table_frozen" if settings.evolve == "freeze" else FILTERED


def _matched(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in patterns)


def _by_table(
    results: Iterable[Written], tables: dict[str, Columns], settings: Settings
) -> dict[str, list[DraftedRow]]:
    incoming: dict[str, list[DraftedRow]] = defaultdict(list)
    for result in results:
        incoming[result.draft.table].append((result.draft, result.row))
        if calls.is_event_table(result.draft.table):
            row = track_row(result.draft, tables["tracks"], settings)
            incoming["tracks"].append((result.draft, row))
    return incoming


def _add_overflow(tables: dict[str, Columns], incoming: dict[str, list[DraftedRow]]) -> None:
    for table, drafted in incoming.items():
        for column in OVERFLOW:
            if any(column in row for _, row in drafted):
                tables[table][column] = Column("json")


def _whole(rows: Iterable[Row], columns: Columns) -> list[Row]:
    """Return the rows with all columns; what was an integer in a column that became double is one now."""
    kept = {column: type_.type for column, type_ in columns.items() if column not in NOT_IN_ROWS}
    whole = [{column: row.get(column) for column in kept} for row in rows]
    for row in whole:
        for column, value in row.items():
            if kept[column] == "double" and isinstance(value, int):
                row[column] = float(value)
    return whole


def _add_people(tables: dict[str, Columns], rows: dict[str, list[Row]]) -> None:
    for table, source in people.SOURCES.items():
        if source.table in tables:
            tables[table] = people.columns(source, tables[source.table])
            rows[table] = people.rows(source, tables[source.table], rows[source.table])
