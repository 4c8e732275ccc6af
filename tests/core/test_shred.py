"""What a shard of odd files gives: each file is taken whole, or left out whole and named."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from loader.core import scanning
from loader.core.objects import File
from loader.core.places import MAX_LINES
from loader.core.policy import Policy
from loader.core.report import Counts, Report, total
from loader.core.shred import Input, Shard, shred

EVENT = b'{"type":"page","userId":"u"}\n'
HOWS = [False, pytest.param(True, marks=pytest.mark.skipif(not scanning.COMPILED, reason="not compiled"))]


def shredded(*files: bytes, compiled: bool) -> Report:
    """Return the report of a shard whose files have these contents."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    inputs = tuple(Input(index, File(str(index), "1", len(each), at), 0) for index, each in enumerate(files))

    def read(file: File) -> Iterator[bytes]:
        yield files[int(file.key)]

    def write(key: str, data: pa.Buffer) -> None:
        assert key
        assert data.size

    return shred(Shard(0, inputs, "", Policy(), compiled=compiled), read, write)


@pytest.mark.parametrize("compiled", HOWS)
def test_a_table_of_which_no_line_became_a_row_is_none(compiled: bool) -> None:
    deep = b'{"type":"page","userId":"u","properties":{"a":%s}}\n' % (b"[" * 499 + b"]" * 499)
    report = shredded(deep, compiled=compiled)
    assert report.tables == {}
    assert total([report]) == Counts(lines=1, events=1, quarantined=1)


def test_a_file_with_more_lines_than_a_row_key_counts_is_left_out_whole() -> None:
    report = shredded(EVENT, EVENT + b"\n" * MAX_LINES, EVENT, compiled=scanning.COMPILED)
    assert [(each.file, each.reason) for each in report.bad_files] == [(1, "too_many_lines")]
    assert total([report]).rows == 2
