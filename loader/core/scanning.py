"""The compiled scanner's side in Python: which lines it takes, and what it hands over as leaves.

It reads what is usual, which is nearly all; every line that it refuses is read by `calls` and `exact`. Where it was not
compiled (no C compiler when this was installed), `loader.core.rows` reads the lines with Arrow: the same rows, slower.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import xxhash

from loader.core import system
from loader.core.exact import OBJECTS
from loader.core.leaves import Leaf, Path, Rows
from loader.core.policy import Policy
from loader.core.spec import CALLS

try:
    from loader.core import _scanner
except ImportError:
    COMPILED = False
else:
    COMPILED = True

_FIRST = ("type", "event", "messageId", "userId", "anonymousId")  # the scanner knows these by their place
_KEYS = tuple(dict.fromkeys((*_FIRST, *(key for call in CALLS.values() for key in system.roots(call)))))
_REQUIRED = {"group": ("groupId",), "alias": ("previousId",)}
_NO_TABLE = -1
_MAX_CELLS = 4 << 20  # rows × columns: a wide and sparse table is mostly nulls
_TYPES = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "json": pa.string(),
}


def scanner(route: Callable[[str, str | None], int], policy: Policy, *, max_bytes: int) -> "_scanner.Scanner":
    """Return a scanner that asks `route` what becomes of a type and an event name."""
    return _scanner.Scanner(
        _KEYS,
        route,
        xxhash.xxh3_64_intdigest,
        max_depth=policy.max_depth,
        max_line_bytes=policy.max_line_bytes,
        max_bytes=max_bytes,
        max_cells=_MAX_CELLS,
    )


def target(into: "_scanner.Scanner", kind: str, table: int | None) -> int:
    """Return the code for lines of a call that become rows of a table; without one, they are only told."""
    keys = system.roots(CALLS[kind])
    strings, objects = [key for key in keys if key not in OBJECTS], [key for key in keys if key in OBJECTS]
    return into.add_target(_NO_TABLE if table is None else table, strings, objects, _REQUIRED.get(kind, ()))


def rows(taken: "_scanner.Scanner", table: int, paths: dict[Path, Path]) -> Rows:
    """Take the rows that a table holds. `paths` has those of all tables: they share them in memory."""
    count, keys, hashes, columns = taken.take(table)
    leaves = [
        Leaf(paths.setdefault(path, path), _array(kind, count, nulls, valid, offsets, values), json=kind == "json")
        for path, kind, nulls, valid, offsets, values in columns
    ]
    return Rows(np.frombuffer(memoryview(keys), np.int64), np.frombuffer(memoryview(hashes), np.int64), leaves)


def _array(kind: str, count: int, nulls: int, *buffers: object) -> pa.Array:
    valid, offsets, values = map(pa.py_buffer, buffers)
    found = [valid if nulls else None, *([offsets] if len(offsets) else []), values]
    return pa.Array.from_buffers(_TYPES[kind], count, found, nulls)
