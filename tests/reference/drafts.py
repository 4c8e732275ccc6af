"""From an event to a draft: its system values, and its other values with their columns (RULES 2, 4.1, 5.4).

A draft knows the names of its columns, but not yet their types.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

import xxhash

from reference import calls, names
from reference.json_strings import storable
from reference.json_text import Node, parse
from reference.lines import Event
from reference.model import Reject, Row, Settings
from reference.timestamps import computed, timestamp


@dataclass(frozen=True, slots=True)
class Cell:
    """A value for a column; `path` has its keys below the root, and is empty for a top-level name or category."""

    column: str
    root: str
    path: tuple[str, ...]
    node: Node
    overridden: bool = False  # its key comes again in the same object


@dataclass(frozen=True, slots=True)
class Draft:
    """A row to be: `row` has the system columns, `cells` all other values in the order of RULES 5.3."""

    event: Event
    table: str
    row: Row
    cells: tuple[Cell, ...]
    rejects: tuple[Reject, ...]

    @property
    def id(self) -> str:
        """The row's id."""
        return str(self.row["id"])

    @property
    def received_at(self) -> datetime:
        """When the event was received; never null."""
        assert isinstance(self.row["received_at"], datetime)
        return self.row["received_at"]

    @property
    def rank(self) -> tuple[datetime, int]:
        """Of several rows with one id the smallest stays."""
        return self.received_at, xxhash.xxh3_64_intdigest(self.event.hashed)


def draft(event: Event, settings: Settings) -> Draft:
    """Return the draft of a good event, with the rejects that need no types."""
    table = calls.table(event.fields)
    row, odd = _system(event, table)
    found = [cell for cell in _cells(event, table, settings.max_depth) if _wanted(cell, settings)]
    kept = sorted((cell for cell in found if not cell.overridden), key=lambda cell: cell.path)
    odd += [(cell.column, cell.node, "duplicate_key") for cell in found if cell.overridden]
    bare = Draft(event, table, row, tuple(kept), ())
    return replace(bare, rejects=tuple(reject(bare, column, node, reason) for column, node, reason in odd))


def reject(of: Draft, column: str, node: Node, reason: str) -> Reject:
    """Return the reject of one value of a draft."""
    return Reject(of.table, of.id, column, node.text, reason, of.event.file.key, of.event.line)


def repaired(node: Node) -> Node:
    """Return the value as it can be stored: the same one, unless it has NUL characters or lone surrogates."""
    text = storable(node.text)
    return node if text == node.text else parse(text)


def _system(event: Event, table: str) -> tuple[Row, list[tuple[str, Node, str]]]:
    """Return the system columns' values, and (column, value, reason) of those that are not stored as sent."""
    row: Row = {}
    odd: list[tuple[str, Node, str]] = []
    for column, key in calls.TIMES.items():
        node = event.fields.get(key)
        row[column] = timestamp(str(node.value)) if node is not None and node.kind == "string" else None
        if node is not None and row[column] is None:
            odd.append((column, node, "not_timestamp"))
    texts = {"id": "messageId"} | calls.IDS
    if table not in calls.NAMED:
        texts |= calls.FIXED.get(table, calls.TRACK).texts
    for column, key in texts.items():
        node = event.fields.get(key)
        row[column] = string = calls.string(node and repaired(node))
        if node is not None and string is not None and string != node.value:
            odd.append((column, node, "unstorable_text"))
    row["id"] = row["id"] or "h_" + xxhash.xxh3_128_hexdigest(event.hashed)
    if calls.is_event_table(table):
        row["event"] = table
    return _clocked(row, event), odd


def _clocked(row: Row, event: Event) -> Row:
    times = {key: value for key, value in row.items() if isinstance(value, datetime)}
    received_at = times.get("received_at", event.file.partition_at)
    happened_at = computed(received_at, times.get("sent_at"), times.get("original_timestamp"))
    return row | {"received_at": received_at, "timestamp": times.get("timestamp", happened_at)}


def _cells(event: Event, table: str, max_depth: int) -> Iterator[Cell]:
    if table in calls.NAMED:
        for key in ("name", "category"):
            if calls.string(event.fields.get(key)) is not None:
                yield Cell(key, "", (), event.fields[key])
    for root in calls.CALLS[calls.call_type(event.fields)].roots:
        if root in event.fields:
            for path, node, overridden in _leaves(event.fields[root], (), max_depth):
                yield Cell(_column(table, root, path), root, path, node, overridden)


def _leaves(node: Node, path: tuple[str, ...], max_depth: int) -> Iterator[tuple[tuple[str, ...], Node, bool]]:
    """Yield (path, value, overridden) of what an object holds, at any depth; nulls and empty objects are nothing."""
    last = {key: index for index, (key, _) in enumerate(node.pairs)}
    for index, (key, child) in enumerate(node.pairs):
        here = (*path, key)
        if child.kind == "null":
            continue
        if index != last[key]:
            yield here, child, True
        elif child.kind == "object" and (not child.pairs or len(here) < max_depth):
            yield from _leaves(child, here, max_depth)
        else:
            yield here, child, False


def _column(table: str, root: str, path: Sequence[str]) -> str:
    name = names.joined(path)
    if root == "context":
        # RULES are silent on `context.extra`: its column is not the one that overflowing values go to.
        return names.limited("context_" + ("_extra" if name == "extra" else name))
    shared = ("name", "category") if table in calls.NAMED else ()
    taken = name in calls.system_columns(table) and name not in shared
    if taken or name == "extra" or name.startswith("context_"):
        name = "_" + name
    return names.limited(name)


def _wanted(cell: Cell, settings: Settings) -> bool:
    """Return whether the property filters keep a value; a top-level name or category is no property."""
    if not cell.path:
        return True
    keys = (cell.root, *cell.path)
    dotted = [".".join(keys[:length]) for length in range(1, len(keys) + 1)]

    def matched(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(path, pattern.replace("[", "[[]")) for path in dotted for pattern in patterns)

    included = not settings.include_properties or matched(settings.include_properties)
    return included and not matched(settings.exclude_properties)
