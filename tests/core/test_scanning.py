"""The compiled scanner and Arrow read the same rows from the same lines; the scanner's hashes are the library's."""

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.strategies import event_lines

from loader.core import scanning
from loader.core.objects import File
from loader.core.policy import Known, Policy, Selection
from loader.core.report import Report, columns_of, total
from loader.core.routes import Routes
from loader.core.routing import Router
from loader.core.shred import Input, Shard, shred
from loader.core.types import column_type

pytestmark = pytest.mark.skipif(not scanning.COMPILED, reason="the scanner was not compiled")
Parts = dict[str, list[dict[str, Any]]]


def shredded(content: bytes, *, compiled: bool, policy: Policy, memory_bytes: int) -> tuple[Report, Parts]:
    """Return the report, and the rows of each table in order of their keys."""
    parts: dict[str, bytes] = {}

    def read(_: File) -> Iterator[bytes]:
        yield content

    def write(key: str, data: Any) -> None:
        parts[key] = bytes(data)

    source = Input(3, File("a", "1", len(content), datetime(2026, 1, 1, tzinfo=UTC)), 0)
    shard = Shard(0, (source,), "", policy, compiled=compiled, memory_bytes=memory_bytes)
    report = shred(shard, read, write)
    tables: Parts = {}
    for key, data in parts.items():
        tables.setdefault(key.split("/")[0], []).extend(pq.read_table(io.BytesIO(data)).to_pylist())
    return report, {name: sorted(map(without_nulls, rows), key=repr) for name, rows in tables.items()}


def without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sorted(row.items()) if value is not None}


def types(report: Report) -> dict[str, dict[str, Any]]:
    return {
        name: {column: (column_type(found.kinds), found.rows) for column, found in table.columns.items()}
        for name, table in columns_of([report]).items()
    }


POLICIES = st.sampled_from(
    [Policy(), Policy(max_depth=2, max_columns=20), Policy(events=Selection(exclude=("page", "Order*")))]
)


@settings(max_examples=50)
@given(event_lines(max_lines=30), POLICIES, st.sampled_from([1 << 10, 64 << 20]))
def test_it_reads_what_arrow_reads(lines: list[bytes], policy: Policy, memory_bytes: int) -> None:
    content = b"".join(line + b"\n" for line in lines * 2)  # enough rows of a kind for Arrow's own path
    ours, rows = shredded(content, compiled=True, policy=policy, memory_bytes=memory_bytes)
    theirs, want = shredded(content, compiled=False, policy=policy, memory_bytes=memory_bytes)
    assert total([ours]) == total([theirs])
    assert types(ours) == types(theirs)
    assert rows == want


@given(st.integers(1, 3000).map(os.urandom))
def test_its_hashes_are_xxh3(noise: bytes) -> None:
    line = b'{"type":"page","userId":"u","x":"' + noise.hex().encode() + b'"}'
    router = Router(Routes(Known(), Policy()))
    list(router.route(line + b"\r\n", 0, 1))
    rows = router.taken("pages")
    assert rows is not None
    assert rows.hashes.tolist() == [xxhash.xxh3_64_intdigest(line) - 2**63]


LINES = {
    "a number of 64 bits": (b'{"n":9223372036854775807}', 9223372036854775807),
    "the smallest number": (b'{"n":-9223372036854775808}', -9223372036854775808),
    "minus nothing": (b'{"n":-0}', 0),
    "many digits": (b'{"n":0.1000000000000000055511151231257827}', 0.1),
    "a large exponent": (b'{"n":1e300}', 1e300),
    "a small one": (b'{"n":4.9e-324}', 5e-324),
    "halfway between two doubles": (b'{"n":9007199254740993.0}', 9007199254740992.0),
    "too small for a double": (b'{"n":1e-400}', 0.0),
    "escapes": (rb'{"n":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}', '"\\/\b\f\n\r\té😀'),
    "a text of many bytes": ('{"n":"' + "é😀" * 500 + '"}', "é😀" * 500),
    "an escaped key": (rb'{"\u006e":"x"}', "x"),
    "white space": (b' { "n" : [ 1 , 2 ] } ', "[ 1 , 2 ]"),
}


@pytest.mark.parametrize("name", LINES)
def test_it_takes_a_value_as_it_was_sent(name: str) -> None:
    sent, value = LINES[name]
    text = sent.encode() if isinstance(sent, str) else sent
    router = Router(Routes(Known(), Policy()))
    [found] = router.route(b'{"type":"page","userId":"u","properties":%s}\n' % text, 0, 1)
    rows = router.taken("pages")
    assert (found.scanned, found.odd) == (1, [])
    assert rows is not None
    [leaf] = [leaf for leaf in rows.leaves if leaf.path == ("properties", "n")]
    assert leaf.array.to_pylist() == [value]


REFUSED = {
    "a number beyond 64 bits": b'{"n":9223372036854775808}',
    "a number beyond doubles": b'{"n":1e400}',
    "NUL": rb'{"n":"\u0000"}',
    "half a character": rb'{"n":"\ud83d"}',
    "NUL in an array": rb'{"n":["\u0000"]}',
    "a key that comes twice": b'{"n":1,"n":2}',
    "a key that comes twice, once escaped": rb'{"n":1,"\u006e":2}',
    "bad UTF-8": b'{"n":"\xff"}',
    "an overlong form": b'{"n":"\xc0\x80"}',
    "a control character": b'{"n":"\x01"}',
    "a leading zero": b'{"n":01}',
    "no digit behind the point": b'{"n":1.}',
    "a trailing comma": b'{"n":1,}',
    "a bad bracket inside": b'{"n":[1}}',
    "a bad escape": rb'{"n":"\x"}',
    "a word that is none": b'{"n":nil}',
    "too many brackets": b'{"n":' + b"[" * 500 + b"]" * 500 + b"}",
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_what_it_must_not_take_and_keeps_nothing_of_it(name: str) -> None:
    good = b'{"type":"page","userId":"u","properties":{"good":%d}}\n'
    bad = b'{"type":"page","userId":"u","properties":{"good":3,"first":[7],"before":"x","yes":true,"d":1.5,"o":%s}}\n'
    router = Router(Routes(Known(), Policy()))
    refused = bad % REFUSED[name]
    [found] = router.route(good % 1 + refused + good % 2 + refused, 0, 1)
    rows = router.taken("pages")
    assert rows is not None
    assert (found.scanned, found.lines, len(found.odd) + len(found.quarantined)) == (2, 4, 2)
    leaves = {leaf.path[-1]: leaf.array.to_pylist() for leaf in rows.leaves}
    assert leaves == {"userId": ["u", "u"], "good": [1, 2]}


@pytest.mark.parametrize("event", [rb"\u0000", rb"a\ud83d", rb"\ud83da", b"\x01", b"\xff"])
def test_a_name_that_no_table_can_have_is_refused_like_any_other_text(event: bytes) -> None:
    good = b'{"type":"track","userId":"u","event":"good"}\n'
    router = Router(Routes(Known(), Policy()))
    [found] = router.route(good + b'{"type":"track","userId":"u","event":"%s"}\n' % event + good, 0, 1)
    assert (found.scanned, found.lines, len(found.odd) + len(found.quarantined)) == (2, 3, 1)


def test_a_wide_table_is_handed_over_before_it_is_mostly_nulls() -> None:
    lines = b"".join(
        b'{"type":"page","userId":"u","properties":{%s}}\n' % b",".join(b'"k%d":1' % (n * 100 + k) for k in range(100))
        for n in range(400)
    )
    router = Router(Routes(Known(), Policy()))
    crowded = [found.crowded for found in router.route(lines, 0, 1) if router.taken("pages")]
    assert set(crowded[:-1]) == {"pages"}


def test_memory_is_bounded_by_stopping() -> None:
    line = b'{"type":"page","userId":"u","properties":{"text":"%s"}}\n' % (b"x" * 1000)
    router = Router(Routes(Known(), Policy()), max_bytes=1 << 20)
    held = []
    for _ in router.route(line * 10_000, 0, 1):
        held.append(router.held()["pages"])
        router.taken("pages")
    assert max(held) < 1.5 * (1 << 20)
    assert len(held) >= 8


def test_keys_are_places_in_order() -> None:
    router = Router(Routes(Known(), Policy()))
    list(router.route(b'{"type":"page","userId":"u"}\n\n{"type":"page","userId":"v"}\n', 2, 5))
    rows = router.taken("pages")
    assert rows is not None
    assert np.diff(rows.keys).tolist() == [2 << 20]


def test_scanners_in_several_threads_take_what_each_takes_alone() -> None:
    def lines(worker: int) -> bytes:
        return b"".join(
            b'{"type":"track","userId":"u","event":"event %d","properties":{"n":%.17g,"odd":%s},"pad":"%s"}\n'
            % (n % 50, (worker + 1) / (n + 3), b"1e400" if n % 7 == 0 else b"null", b"x" * (n % 3 * 100))
            for n in range(3_000)
        )

    def taken(worker: int) -> list[Any]:
        router = Router(Routes(Known(), Policy()))
        found = list(router.route(lines(worker), worker, 1))
        rows = {name: router.taken(name) for name in sorted(router.tables)}
        leaves = {
            name: [(leaf.path, leaf.array.to_pylist()) for leaf in each.leaves] for name, each in rows.items() if each
        }
        hashes = {name: (each.keys.tolist(), each.hashes.tolist()) for name, each in rows.items() if each}
        return [
            leaves,
            hashes,
            [(each.scanned, each.ids, [batch.keys.tolist() for _, batch in each.odd]) for each in found],
        ]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(taken, range(8))) == [taken(worker) for worker in range(8)]


def test_what_goes_wrong_while_it_asks_is_raised_and_it_serves_no_other_thread_meanwhile() -> None:
    said: list[str] = []

    def route(kind: str, event: str | None) -> int:
        assert event is None
        with pytest.raises(RuntimeError, match="one thread at a time"):
            made.scan(b"{}\n", 0, 0)
        said.append(kind)
        raise KeyError(kind)

    made = scanning.scanner(route, Policy(), max_bytes=1 << 20)
    for times in (1, 2):
        with pytest.raises(KeyError, match="page"):
            made.scan(b'{"type":"page","userId":"u"}\n', 0, 0)
        assert said == ["page"] * times, "an answer that was none is asked for again"
