"""Rejected values → back into their rows, where a column's new type holds them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa

from loader.core import exact
from loader.core.calls import storable
from loader.core.cast import cast
from loader.core.dialect import Dialect, literal, quoted
from loader.core.exact import Value
from loader.core.leaves import Leaf
from loader.core.types import ColumnType
from loader.core.warehouse import Session

TYPE_REASONS = tuple(f"not_{kind.value}" for kind in ColumnType)  # what a wider type can mend
_MENDABLE = (*TYPE_REASONS, "schema_frozen")  # and what the column itself can, once it is there
_PAGE = 50_000  # distinct values cast at once
_ARROW = {"boolean": pa.bool_(), "integer": pa.int64(), "double": pa.float64()}


@dataclass(frozen=True, slots=True)
class Restoring:
    """The rejects of one column: in `tables`, which share it, and where its rows are copied, `copies`."""

    dialect: Dialect
    schema: str
    tables: Sequence[str]
    copies: Sequence[str]  # `tracks`, for a context column of event tables
    column: str
    type: ColumnType

    @property
    def unresolved(self) -> str:
        """The condition on `loader.rejects AS r` for those that a wider type can mend, and did not yet."""
        return f"r.resolved_at IS NULL AND {self.mendable}"

    @property
    def mendable(self) -> str:
        """The same for those that it has mended, too."""
        own, reasons, tables = self.dialect, self._listed(_MENDABLE), self._listed(self.tables)
        return (
            f"r.schema_name = {literal(own, self.schema)} AND r.table_name IN ({tables}) "
            f"AND r.column_name = {literal(own, self.column)} AND r.reason IN ({reasons})"
        )

    def _listed(self, words: Sequence[str]) -> str:
        return ", ".join(literal(self.dialect, word) for word in words)


def restore(session: Session, what: Restoring, held: str) -> int:
    """Put back the rejects that the type holds; return how many values came back. `resolve` is to follow.

    Only nulls are filled: twice restores nothing more. The empty scratch relation `held` (value, stored) keeps the
    values for `resolve`.
    """
    for texts, values in _held(session, what):
        session.append(held, ("value", "stored"), list(zip(texts, values, strict=True)))
    found = session.execute(f"SELECT DISTINCT r.table_name FROM loader.rejects AS r WHERE {what.unresolved}")
    restored = 0
    for (table,) in sorted(found):
        restored += _filled(session, what, table, held, f"r.table_name = {literal(what.dialect, table)}")
    if found:
        for copy in what.copies:
            _filled(session, what, copy, held, "true")
    return restored


def resolve(session: Session, what: Restoring, held: str, now: datetime) -> None:
    """Mark the rejects that `restore` put back as resolved."""
    session.execute(
        f"UPDATE loader.rejects AS r SET resolved_at = ? "
        f"WHERE {what.unresolved} AND r.value IN (SELECT h.value FROM {held} AS h)",
        [now],
    )


def left(session: Session, what: Restoring) -> int:
    """Return how many rejects a wider type could mend."""
    return int(session.execute(f"SELECT count(*) FROM loader.rejects AS r WHERE {what.unresolved}")[0][0])


def resolved(session: Session, what: Restoring, now: datetime) -> int:
    """Return how many rejects were marked as resolved at a time."""
    found = session.execute(
        f"SELECT count(*) FROM loader.rejects AS r WHERE {what.mendable} AND resolved_at = ?", [now]
    )
    return int(found[0][0])


def values(texts: Sequence[str], wanted: ColumnType) -> list[Any]:
    """Return JSON texts as values of a type, in order; None for those that it does not hold."""
    result: list[Any] = [None] * len(texts)
    kinds: dict[str, list[tuple[int, Value]]] = {}
    for position, text in enumerate(texts):
        value = _value(storable(text.encode()).decode())  # NUL and lone surrogates come back as U+FFFD
        kinds.setdefault(value.kind, []).append((position, value))
    for kind, members in kinds.items():
        array = pa.array([value.value for _, value in members], _ARROW.get(kind, pa.string()))
        stored, _ = cast(Leaf((), array, json=kind == "json"), wanted)
        for (position, _), value in zip(members, stored.to_pylist(), strict=True):
            result[position] = value
    return result


def _value(text: str) -> Value:
    match text[:1]:
        case '"':
            return Value((), "string", msgspec.json.decode(text, type=str))
        case "t" | "f":
            return Value((), "boolean", text == "true")
        case "[" | "{":
            return Value((), "json", text)
        case _:
            return exact.number((), text)


def _held(session: Session, what: Restoring) -> Iterator[tuple[list[str], list[Any]]]:
    """Yield the distinct rejected values that the type holds, with what it stores, page by page."""
    last, value = "", what.dialect.bytewise.format(value="r.value")
    while True:
        page = session.execute(
            f"SELECT DISTINCT {value} AS value FROM loader.rejects AS r WHERE {what.unresolved} AND {value} > ? "
            f"ORDER BY value LIMIT {_PAGE}",
            [last],
        )
        if not page:
            return
        texts = [text for (text,) in page]
        last = texts[-1]
        pairs = [
            (text, value) for text, value in zip(texts, values(texts, what.type), strict=True) if value is not None
        ]
        yield [text for text, _ in pairs], [value for _, value in pairs]


def _filled(session: Session, what: Restoring, table: str, held: str, chosen: str) -> int:
    """Fill the nulls of a table with rejected values; return how many. Of several for a row the first counts.

    A row is that of a reject if both are of one load. After a replay, which says anew what was rejected, and after
    an abandoned load, whose rows stay, the row is older than the reject: then the id alone tells.
    """
    target, column = quoted(what.dialect, what.schema, table), quoted(what.dialect, what.column)
    file, value = (what.dialect.bytewise.format(value=name) for name in ("r.file", "r.value"))
    rejected = f"""
SELECT r.row_id, r.load_id, h.stored,
  row_number() OVER (PARTITION BY r.row_id, r.load_id ORDER BY r.rejected_at, {file}, r.line, {value}) AS turn
FROM loader.rejects AS r JOIN {held} AS h ON h.value = r.value
WHERE {what.unresolved} AND {chosen}"""
    update = f"UPDATE {target} AS t SET {column} = b.stored FROM"
    same_row = f"t.{column} IS NULL AND t.id = b.row_id"
    own = session.execute(f"{update} ({rejected}) AS b WHERE b.turn = 1 AND {same_row} AND t.load_id = b.load_id")
    older = session.execute(
        f"""{update} (
  SELECT e.row_id, e.stored, l.kind, row_number() OVER (PARTITION BY e.row_id ORDER BY l.created_at, e.load_id) AS place
  FROM ({rejected}) AS e JOIN loader.loads AS l ON l.load_id = e.load_id
  WHERE e.turn = 1 AND NOT EXISTS (SELECT 1 FROM {target} AS x WHERE x.id = e.row_id AND x.load_id = e.load_id)
) AS b WHERE b.place = 1 AND {same_row}
AND (b.kind = 'replay' OR t.load_id IN (SELECT load_id FROM loader.loads WHERE state = 'abandoned'))"""
    )
    return int(own[0][0]) + int(older[0][0])
