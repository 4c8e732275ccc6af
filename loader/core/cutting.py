"""JSON text of values, cut out of lines as it was sent, without reading what is inside."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loader.core.leaves import Path
from loader.core.lines import Lines

_NOTHING = msgspec.Raw(b"")
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def cut(lines: Lines, paths: Sequence[Path]) -> Iterator[tuple[Path, pa.Array]]:
    """Yield each path with the JSON texts at it: null where there is none, or null, or an empty object."""
    rows = _decoder(tuple(sorted(paths))).decode_lines(memoryview(lines.data))
    for path in paths:
        yield path, pa.array([_text(value) for value in _values(rows, path)], pa.binary()).cast(pa.string())


def first_bytes(lines: Lines, path: Path) -> npt.NDArray[np.uint8]:
    """Return the first byte of the value at `path` on each line, which tells its kind; all numbers as `0`."""
    found = np.array([(bytes(value) or b"n")[0] for value in _found(lines, path)], np.uint8)  # absent counts as null
    found[(found == ord("-")) | ((found >= ord("0")) & (found <= ord("9")))] = ord("0")
    found[found == ord("f")] = ord("t")
    return found


def blanked(lines: Lines, path: Path) -> Lines:
    """Return the lines with `[]`, and white space, in place of every array at `path`."""
    changed = bytearray(lines.data)
    base = lines.data.address
    for value in _found(lines, path):
        text = memoryview(value)
        if bytes(text[:1]) == b"[":
            start = pa.py_buffer(value).address - base
            changed[start : start + len(text)] = b"[]".ljust(len(text))
    return Lines(pa.py_buffer(bytes(changed)), lines.offsets)


def _found(lines: Lines, path: Path) -> Iterable[msgspec.Raw]:
    """Return the raw value at `path` of each line, also where a parent is an object on some lines only."""
    try:
        return _values(_decoder((path,)).decode_lines(memoryview(lines.data)), path)
    except msgspec.ValidationError:
        data, offsets = memoryview(lines.data), lines.offsets.tolist()
        return [_one(data[start:stop], path) for start, stop in pairwise(offsets)]


def _one(line: memoryview, path: Path) -> msgspec.Raw:
    value = msgspec.Raw(line)
    for key in path:
        if bytes(value)[:1] != b"{":
            return _NOTHING
        value = _OBJECT.decode(value).get(key, _NOTHING)
    return value


def _values(rows: Sequence[Any], path: Path) -> Iterable[msgspec.Raw]:
    """Return the raw value at `path` of each row; empty where a parent is absent or null."""
    values: Iterable[Any] = rows
    for depth in range(len(path)):
        name = _name(path[: depth + 1])
        values = [getattr(value, name, _NOTHING) for value in values]
    return values


def _text(value: msgspec.Raw) -> bytes | None:
    text = bytes(value)
    if text in (b"", b"null") or (text[:1] == b"{" and not text[1:-1].strip()):
        return None
    return text


@lru_cache(maxsize=4096)
def _decoder(paths: tuple[Path, ...]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_struct(paths, ()))


def _struct(paths: tuple[Path, ...], above: Path) -> type[msgspec.Struct]:
    """Return a struct that decodes only the keys on the way to `paths`, and leaves raw what is there."""
    fields: list[tuple[str, Any, Any]] = []
    for key in dict.fromkeys(path[len(above)] for path in paths):
        here = (*above, key)
        below = tuple(path for path in paths if path[: len(here)] == here)
        if below == (here,):
            kind, default = msgspec.Raw, _NOTHING
        else:
            kind, default = _struct(below, here) | None, None  # type: ignore[assignment]
        fields.append((_name(here), kind, msgspec.field(name=key, default=default)))
    return msgspec.defstruct("Cut", fields, gc=False)


def _name(path: Path) -> str:
    return f"at_{len(path)}_{path[-1].encode().hex()}"
