"""What reading lines gives: typed values per path of keys, before they have columns."""

from dataclasses import dataclass, field

import pyarrow as pa

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
