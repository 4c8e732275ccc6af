"""Parts → Parquet files with all columns of a staging table, in names and types that BigQuery takes.

A load job takes a file's columns as they are: all files must have the same ones in the same order, a name has only
letters, digits and `_`, and nothing is cast (cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet, read
2026-11). Parts lack columns that their shard did not see, and have names with `#`. So they are written again, in pieces
of bounded bytes; that costs a tenth of shredding them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from loader.core.timestamps import MICROSECONDS
from loader.core.types import ColumnType

_ROWS_AT_ONCE = 16_384
_GROUP_BYTES = 32 << 20  # of a row group, in memory; BigQuery reads groups of 16 MiB and more best
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_ARROW = {
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.TIMESTAMP: MICROSECONDS,
    ColumnType.STRING: pa.string(),
    ColumnType.JSON: pa.string(),
}


def stored_names(columns: Iterable[str]) -> dict[str, str]:
    """Return column → its name in a staging table; all that need no other keep theirs.

    >>> stored_names(["#row", "total", "2nd_item"])
    {'#row': 'c_0', 'total': 'total', '2nd_item': 'c_2'}
    """
    names = list(columns)
    for underscores in count(1):
        mark = f"c{'_' * underscores}"
        made = {name: name if _PLAIN.fullmatch(name) else f"{mark}{place}" for place, name in enumerate(names)}
        if len(set(made.values())) == len(names):
            return made
    raise AssertionError("unreachable: there is always another name")


def rewritten(
    paths: Sequence[Path], columns: Mapping[str, ColumnType], folder: Path, *, max_bytes: int | None = None
) -> Iterator[tuple[Path, int, bool]]:
    """Write the parts as files with these columns, in order; yield each, its rows, and whether it is the last.

    A column that a part lacks is null. There is one file at least, and only one unless it outgrows `max_bytes`, by a
    row group at most. The next one is begun when it is asked for.
    """
    names = stored_names(columns)
    schema = pa.schema([(names[name], _ARROW[kind]) for name, kind in columns.items()])
    groups = _groups(paths, columns, schema)
    group = next(groups, None)
    for number in count():
        target, rows = folder / f"{number}.parquet", 0
        with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1, use_dictionary=False) as writer:
            while group and not (rows and max_bytes and target.stat().st_size > max_bytes):
                writer.write_table(group)
                rows += group.num_rows
                group = next(groups, None)
        yield target, rows, group is None
        if group is None:
            return


def _groups(paths: Sequence[Path], columns: Mapping[str, ColumnType], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of the parts in tables of bounded bytes."""
    held: list[pa.RecordBatch] = []
    size = 0
    for path in paths:
        with pq.ParquetFile(path) as part:
            there = set(part.schema_arrow.names)
            chosen = [name for name in columns if name in there]
            for batch in part.iter_batches(_ROWS_AT_ONCE, columns=chosen):
                held.append(_whole(batch, columns, schema))
                size += held[-1].nbytes
                if size > _GROUP_BYTES:
                    yield pa.Table.from_batches(held, schema)
                    held, size = [], 0
    if held:
        yield pa.Table.from_batches(held, schema)


def _whole(batch: pa.RecordBatch, columns: Mapping[str, ColumnType], schema: pa.Schema) -> pa.RecordBatch:
    there = dict(zip(batch.schema.names, batch.columns, strict=True))
    arrays = [
        there[name].cast(field.type) if name in there else pa.nulls(batch.num_rows, field.type)
        for name, field in zip(columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
