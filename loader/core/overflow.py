"""Columns for which a table has no room → one json column: per row an object of column names and values."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from loader.core import cast
from loader.core.leaves import Leaf


def folded(columns: Mapping[str, Sequence[Leaf]], rows: int) -> Leaf:
    """Return the values of `columns` as JSON objects, keys in order; null for rows that have none of them.

    Of several leaves of a column the first with a value counts, as everywhere.
    """
    objects: list[dict[str, msgspec.Raw] | None] = [None] * rows
    for name in sorted(columns):
        for leaf in columns[name]:
            for row in np.flatnonzero(np.asarray(leaf.array.is_valid())).tolist():
                values = objects[row]
                if values is None:
                    values = objects[row] = {}
                values.setdefault(name, msgspec.Raw(cast.json_text(leaf, row).encode()))
    texts = [None if each is None else msgspec.json.encode(each).decode() for each in objects]
    return Leaf(("extra",), pa.array(texts, pa.string()), json=True)
