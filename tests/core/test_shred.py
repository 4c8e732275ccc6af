"""What a shard of odd files gives: each file is taken whole, or left out whole and named."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loader.core import scanning
from loader.core.objects import File
from loader.core.places import MAX_LINES
from loader.core.policy import Policy
from loader.core.report import Counts, Report, total
from loader.core.shred import Input, Shard, shred

EVENT = b'{"type":"page","userId":"u"}\n'
HOWS = [False, pytest.param(True, marks=pytest.mark.skipif(not scanning.COMPILED, reason="not compiled"))]


def shredded(*files: bytes, compiled: bool, written: dict[str, bytes] | None = None) -> Report:
    """Return the report of a shard whose files have these contents; its parts are `written`."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    inputs = tuple(Input(index, File(str(index), "1", len(each), at), 0) for index, each in enumerate(files))

    def read(file: File) -> Iterator[bytes]:
        yield files[int(file.key)]

    def write(key: str, data: pa.Buffer) -> None:
        assert key
        assert data.size
        if written is not None:
            written[key] = bytes(data)

    return shred(Shard(0, inputs, "", Policy(), compiled=compiled), read, write)


@pytest.mark.parametrize("compiled", HOWS)
def test_a_table_of_which_no_line_became_a_row_is_none(compiled: bool) -> None:
    deep = b'{"type":"page","userId":"u","properties":{"a":%s}}\n' % (b"[" * 499 + b"]" * 499)
    report = shredded(deep, compiled=compiled)
    assert report.tables == {}
    assert total([report]) == Counts(lines=1, events=1, quarantined=1)


ARRAY = b"[" * 495 + b"]" * 495
DEEP = {
    "a key that comes twice": (b'"x":%s,"x":1' % ARRAY, "duplicate_key", ARRAY),
    "a key that comes twice, of more than arrays": (
        b'"x":[{"a":%s,"b":"\\u00e9"},-0,1e5],"x":1' % ARRAY[2:-2],
        "duplicate_key",
        b'[{"a":%s,"b":"\\u00e9"},-0,1e5]' % ARRAY[2:-2],
    ),
    "two keys of one column": (b'"X":[0],"x":%s' % ARRAY, "same_column", ARRAY),
}


@pytest.mark.parametrize("compiled", HOWS)
@pytest.mark.parametrize("name", DEEP)
def test_values_as_deep_as_they_may_be_are_set_aside(name: str, compiled: bool) -> None:
    sent, reason, value = DEEP[name]
    written: dict[str, bytes] = {}
    line = b'{"type":"page","userId":"u","properties":{%s}}\n' % sent
    report = shredded(line, compiled=compiled, written=written)
    assert total([report]) == Counts(lines=1, events=1, rows=1, rejects=1)
    [rejects] = [pq.read_table(io.BytesIO(written[key])).to_pylist() for key in report.rejects]
    assert [(each["reason"], each["value"]) for each in rejects] == [(reason, value.decode())]


def test_a_file_with_more_lines_than_a_row_key_counts_is_left_out_whole() -> None:
    report = shredded(EVENT, EVENT + b"\n" * MAX_LINES, EVENT, compiled=scanning.COMPILED)
    assert [(each.file, each.reason) for each in report.bad_files] == [(1, "too_many_lines")]
    assert total([report]).rows == 2
