"""What reading lines gives: typed values per path of keys, before they have columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loader.core.lines import Ints

Path = tuple[str, ...]  # keys from the top of the line: ("context", "app", "version")


@dataclass(frozen=True, slots=True)
class Leaf:
    """The values at one path, one per row; the array's type is boolean, int64, double or string."""

    path: Path
    array: pa.Array
    json: bool = False  # strings that are JSON text
    digits: bool = False  # JSON text of numbers that no number type holds


@dataclass(frozen=True, slots=True)
class Remark:
    """A value that its column will not hold, found while reading."""

    key: int  # of the row
    path: Path
    value: str  # JSON text
    reason: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows and their leaves. A path may come twice, with values in different rows."""

    keys: Ints
    hashes: Ints
    leaves: list[Leaf]
    remarks: list[Remark] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)  # row key, reason: lines that are no events after all


@lru_cache(1 << 14)  # thousands of tables share these texts in memory
def spelled(paths: frozenset[Path]) -> tuple[str, ...]:
    """Return how some paths are written, sorted, the first eight."""
    return tuple(sorted(map(".".join, paths))[:8])


def precedence(leaf: Leaf) -> tuple[bool, Path]:
    """Return the key by which leaves of one column are sorted: the call's own `name` before that of its properties."""
    return len(leaf.path) > 1, leaf.path


def missing(leaves: Sequence[Leaf]) -> int:
    """Return how many rows have a value in none of the leaves."""
    if len(leaves) == 1:
        return int(leaves[0].array.null_count)
    valid = leaves[0].array.is_valid()
    for leaf in leaves[1:]:
        valid = pc.or_(valid, leaf.array.is_valid())
    return len(valid) - int(pc.sum(valid).as_py() or 0)


def first_key(keys: Ints, leaves: Sequence[Leaf], *, lowest: int) -> int:
    """Return the smallest key of a row with a value. `lowest`: the row with the smallest key, which mostly has one."""
    if any(not leaf.array.null_count or leaf.array[lowest].is_valid for leaf in leaves):
        return int(keys[lowest])
    return min(int(keys[np.asarray(leaf.array.is_valid())].min(initial=2**63 - 1)) for leaf in leaves)


def blank_as_null(leaf: Leaf) -> Leaf:
    """Return the leaf with null for each empty string."""
    if not pa.types.is_string(leaf.array.type) or leaf.json:
        return leaf
    blank = pc.equal(leaf.array, "")
    return Leaf(leaf.path, pc.if_else(blank, None, leaf.array)) if pc.any(blank).as_py() else leaf
