"""Arrow tables → Parquet bytes, as every warehouse reads them."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from loader.core.rejects import Reject
from loader.core.report import ROW


def encoded(table: pa.Table) -> pa.Buffer:
    """Return a table as a Parquet file: zstandard, and nothing that a reader of whole files does not use.

    Dictionaries made writing and reading slower and the files no smaller (measured on 43 columns of events).
    """
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
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
