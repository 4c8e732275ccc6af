"""A part → CSV for COPY, in chunks of bounded bytes, without a loop over rows in Python."""

import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from loader.core.cast import ARROW
from loader.core.types import ColumnType

OPTIONS = "FORMAT csv, ENCODING 'UTF8'"
_CHUNK_BYTES = 4 << 20  # of rows in memory at once, as Parquet has them unpacked
_MAX_CHUNK_ROWS = 16_384
_CSV = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")
# JSONB holds numbers as NUMERIC: at most 131072 digits before the point and 16383 after it
# (postgresql.org/docs/current/datatype-numeric.html). Only these can be beyond.
_FAR = r"[eE][+-]?\d{4,}|\d{1000}"
_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)', re.DOTALL)
_MOST, _LEAST = 131_071, -16_383


def chunks(path: str, columns: Sequence[tuple[str, ColumnType]]) -> Iterator[bytes]:
    """Yield the rows of a Parquet file as CSV; a column that the file lacks is null everywhere.

    Texts are quoted and nulls are not, so that an empty text is no null.
    """
    with pq.ParquetFile(path) as file:
        there = set(file.schema_arrow.names)
        wanted = [name for name, _ in columns if name in there]
        batches = file.iter_batches(batch_size=_rows(file.metadata), columns=wanted)
        for batch in (piece for each in batches for piece in _pieces(each)):
            arrays = [_array(batch, name, kind) for name, kind in columns]
            sink = io.BytesIO()
            table = pa.RecordBatch.from_arrays(arrays, [name for name, _ in columns])
            pyarrow.csv.write_csv(table, sink, _CSV)
            yield sink.getvalue()


def _rows(found: pq.FileMetaData) -> int:
    unpacked: int = sum(found.row_group(group).total_byte_size for group in range(found.num_row_groups))
    rows: int = found.num_rows
    return max(1, min(_MAX_CHUNK_ROWS, _CHUNK_BYTES * rows // max(unpacked, 1)))


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield a batch in pieces of bounded bytes: what repeats itself is larger here than in its file."""
    rows = max(1, _CHUNK_BYTES * batch.num_rows // max(batch.nbytes, 1))
    return (batch.slice(first, rows) for first in range(0, batch.num_rows, rows))


def _array(batch: pa.RecordBatch, name: str, kind: ColumnType) -> pa.Array:
    found = batch.schema.get_field_index(name)
    if found < 0:
        return pa.nulls(batch.num_rows, ARROW[kind])
    array = batch.column(found)
    if kind is ColumnType.JSON and pc.any(pc.match_substring_regex(array, _FAR)).as_py():
        texts = [None if text is None else storable(text) for text in array.to_pylist()]
        return pa.array(texts, pa.string())
    return array


def storable(text: str) -> str:
    """Return JSON text with numbers that JSONB cannot hold as strings: no digit is lost.

    >>> storable('{"a": 1e99999, "b": 2, "c": "1e999999"}')
    '{"a": 1e99999, "b": 2, "c": "1e999999"}'
    >>> storable('[1e200000]')
    '["1e200000"]'
    """
    return _NUMBER.sub(lambda found: found[0] if found[1] is None or _held(found[1]) else f'"{found[1]}"', text)


def _held(number: str) -> bool:
    sign = Decimal(number).as_tuple()
    exponent = int(sign.exponent)
    return exponent >= _LEAST and len(sign.digits) + exponent <= _MOST
