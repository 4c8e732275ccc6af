"""Texts and json that a warehouse cannot hold: found before they are loaded, as one would fail the load of all."""

import hashlib
from collections.abc import Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from loader.core.rejects import Reject
from loader.core.types import ColumnType

TOO_LONG = "too_long"


def too_long(array: pa.Array, kind: ColumnType, *, max_text_bytes: int, max_json_bytes: int) -> list[int]:
    """Return the rows of a string or json column with more bytes than the warehouse holds; a limit of 0 is none.

    Json has too many also where a text inside it has.
    """
    if not max_text_bytes or kind not in (ColumnType.STRING, ColumnType.JSON) or not len(array):
        return []
    sizes = pc.binary_length(array)
    if (pc.max(sizes).as_py() or 0) <= max_text_bytes:
        return []
    rows: list[int] = pc.indices_nonzero(pc.greater(sizes, max_text_bytes)).to_pylist()
    if kind is ColumnType.STRING:
        return rows
    return [
        row
        for row in rows
        if sizes[row].as_py() > max_json_bytes or _longest(array[row].as_py().encode()) > max_text_bytes
    ]


def without(array: pa.Array, rows: Sequence[int]) -> pa.Array:
    """Return an array with null in some rows."""
    return pc.if_else(pc.is_in(pa.array(range(len(array))), pa.array(rows)), None, array)


def shortened(ids: pa.Array, max_text_bytes: int) -> pa.Array:
    """Return message ids with a hash in place of those that are too long: a row needs its id, whatever it is."""
    if not too_long(ids, ColumnType.STRING, max_text_bytes=max_text_bytes, max_json_bytes=0):
        return ids
    texts = (each.as_py() for each in ids)
    return pa.array(
        [text if len(text.encode()) <= max_text_bytes else hashlib.sha256(text.encode()).hexdigest() for text in texts],
        pa.string(),
    )


def cut(rejects: Sequence[Reject], max_text_bytes: int) -> list[Reject]:
    """Return the rejects with values that the ledger holds; the rest of a longer one stays in its file.

    Such a one cannot be put back either, so its reason is that.
    """
    return [
        each._replace(value=_begun(each.value, max_text_bytes), reason=TOO_LONG)
        if max_text_bytes and len(each.value) * 4 > max_text_bytes and len(each.value.encode()) > max_text_bytes
        else each
        for each in rejects
    ]


def _begun(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def _longest(text: bytes) -> int:
    """Return the bytes of the longest text or name in a JSON text."""
    longest, waiting = 0, [msgspec.json.decode(text)]
    while waiting:
        match waiting.pop():
            case str() as found:
                longest = max(longest, len(found.encode()))
            case list() as found:
                waiting += found
            case dict() as found:
                waiting += [*found.keys(), *found.values()]
    return longest
