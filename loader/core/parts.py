"""Arrow tables → Parquet bytes, as every warehouse reads them."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from loader.core.rejects import Reject
from loader.core.report import ROW

_MIN_DICTIONARY_ROWS = 16  # below that, making dictionaries costs more than reading the values twice


def encoded(table: pa.Table, *, packed: bool = True) -> pa.Buffer:
    """Return a table as a Parquet file: with dictionaries, without what only a reader of some rows would use.

    Packed, by zstandard, it has half the size; not packed, it is written and read for three quarters of the CPU.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd" if packed else "none",
        compression_level=1 if packed else None,
        use_dictionary=table.num_rows >= _MIN_DICTIONARY_ROWS,
        write_statistics=False,
        store_schema=False,
    )
    return sink.getvalue()


def rejects_table(rejects: Sequence[Reject]) -> pa.Table:
    """Return rejects as a table."""
    names = (ROW, "table_name", "row_id", "column_name", "value", "reason")
    types = (pa.int64(), *[pa.string()] * 5)
    columns = zip(*rejects, strict=True) if rejects else [()] * 6
    return pa.table({name: pa.array(list(each), kind) for name, kind, each in zip(names, types, columns, strict=True)})


def quarantine_table(quarantined: Sequence[tuple[int, str]]) -> pa.Table:
    """Return quarantined lines (row key, reason) as a table."""
    return pa.table(
        {
            ROW: pa.array([key for key, _ in quarantined], pa.int64()),
            "reason": pa.array([reason for _, reason in quarantined], pa.string()),
        }
    )
