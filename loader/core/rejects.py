"""Values that their columns do not hold."""

from collections.abc import Sequence
from typing import NamedTuple

from loader.core.calls import storable
from loader.core.cast import same_json

UNSTORABLE = "unstorable_text"


class Reject(NamedTuple):
    """A value that its column does not hold."""

    key: int  # of the row
    table: str
    id: str  # of the row
    column: str
    value: str  # JSON text
    reason: str


def as_sent(rejects: Sequence[Reject]) -> list[Reject]:
    """Return the rejects with values as they were sent, one for each value.

    A value with NUL or lone surrogates that is rejected for another reason too was changed before: the note of that
    change gives it back, and is left out.
    """
    changed = [each for each in rejects if each.reason == UNSTORABLE]
    if not changed:
        return list(rejects)
    kept: list[Reject] = []
    for each in rejects:
        if each.reason == UNSTORABLE:
            continue
        note = next((note for note in changed if _same_value(note, each)), None)
        if note is not None:
            changed.remove(note)
        kept.append(each if note is None else each._replace(value=note.value))
    return kept + changed


def _same_value(note: Reject, other: Reject) -> bool:
    same_place = (note.key, note.column) == (other.key, other.column)
    return same_place and same_json(_clean(note), other.value)


def _clean(reject: Reject) -> str:
    return storable(reject.value.encode()).decode()
