"""Files that are damaged, odd, or gone when they are read: what is readable is loaded whole, the rest not at all."""

import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard

from flow import harness
from flow.harness import HOUR, Silent, lines, track
from loader.config import Config
from loader.core.plan import loads
from loader.core.results import LoadResult, Window
from loader.ledger import loads as ledger
from loader.load import load
from loader.load.edges import open_edges, warehouse
from loader.load.leasing import leased
from loader.load.listing import pending

FEW = lines(*(track("Few", messageId=f"f{number}") for number in range(100)))
SMALL_MEMORY = 'workers = 1\nmemory = "64MB"'  # a block of lines is 3 MiB then
HALF = len(FEW) // 2


class Odd(NamedTuple):
    id: str
    stored: bytes
    rows: int
    reason: str | None = None  # of the quarantine of the whole file
    name: str = "odd.jsonl.gz"


def packed(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


SQUEEZED = zstandard.ZstdCompressor(write_checksum=True).compress(FEW)
GZIP, HEAD, REST = packed(FEW), packed(FEW[:HALF]), packed(FEW[HALF:])
ODD = [
    Odd("gzip without its last byte", GZIP[:-1], 0, "truncated_gzip"),
    Odd("gzip without its trailer", GZIP[:-8], 0, "truncated_gzip"),
    Odd("half a gzip", GZIP[: len(GZIP) // 2], 0, "truncated_gzip"),
    Odd("nothing but the header of a gzip", GZIP[:10], 0, "truncated_gzip"),
    Odd("five bytes of a gzip", GZIP[:5], 0, "truncated_gzip"),
    Odd("the first bytes of a gzip", GZIP[:2], 0, "truncated_gzip"),
    Odd("a second member that is cut", HEAD + REST[:-20], 0, "truncated_gzip"),
    Odd("gzip with a wrong checksum", flipped(GZIP, len(GZIP) - 6), 0, "corrupt_gzip"),
    Odd("gzip with a wrong length", flipped(GZIP, len(GZIP) - 2), 0, "corrupt_gzip"),
    Odd("gzip of an unknown method", flipped(GZIP, 2), 0, "corrupt_gzip"),
    Odd("gzip and then text", GZIP + FEW, 0, "corrupt_gzip"),
    Odd("a whole gzip", GZIP, 100),
    Odd("gzip of two members", HEAD + REST, 100),
    Odd("gzip of 101 members, one empty", b"".join(map(packed, [*FEW.splitlines(True), b""])), 100),
    Odd("gzip padded with zeros", GZIP + b"\0" * 512, 100),
    Odd("gzip of nothing", packed(b""), 0),
    Odd("gzip named otherwise", GZIP, 100, name="odd.json"),
    Odd("text named gzip", FEW, 100),
    Odd("text without a last newline", FEW[:-1], 100),
    Odd("zstandard", SQUEEZED, 100, name="odd.jsonl.zst"),
    Odd("zstandard named gzip", SQUEEZED, 100),
    Odd("two frames of zstandard", zstandard.compress(FEW[:HALF]) + zstandard.compress(FEW[HALF:]), 100),
    Odd("zstandard that is cut", SQUEEZED[:-3], 0, "truncated_zstd"),
    Odd("zstandard with a wrong checksum", flipped(SQUEEZED, len(SQUEEZED) - 1), 0, "corrupt_zstd"),
    Odd("zstandard and then text", SQUEEZED + b"oops, no frame", 0, "corrupt_zstd"),
    Odd("an empty file", b"", 0),
    Odd("nothing but newlines", b"\n\n\r\n \n", 0),
    Odd("nothing but a byte order mark", b"\xef\xbb\xbf", 0),
    Odd("a byte order mark within gzip", packed(b"\xef\xbb\xbf" + FEW), 100),
]


@pytest.mark.parametrize("odd", ODD, ids=[each.id for each in ODD])
def test_an_odd_file_is_loaded_whole_or_not_at_all(odd: Odd, project: Callable[..., Config]) -> None:
    config = project()
    harness.put(config, "a.jsonl.gz", lines(track("Good", messageId="g1")))
    harness.put(config, odd.name, odd.stored, packed=False)
    harness.put(config, "z.jsonl", lines(track("Good", messageId="g2")), packed=False)
    [result] = harness.run(config)
    assert (result.state, result.conserved, result.rows, result.events) == ("done", True, 2 + odd.rows, 2 + odd.rows)
    assert len(harness.tables(config).get("few", [])) == odd.rows
    wanted = {(HOUR + odd.name, 0, 0, odd.reason): 1} if odd.reason else {}
    assert harness.quarantine(config) == wanted
    assert [problem.split(": ")[:2] for problem in result.problems] == [[each[0], each[3]] for each in wanted]
    assert (odd.name, "quarantined" if odd.reason else "loaded", odd.reason) in harness.file_states(config)
    harness.assert_settled(config)
    assert harness.run(config) == []


def many(name: str, count: int, length: int = 400) -> bytes:
    """Return lines of a table of its own, about 600 bytes each."""
    return lines(
        *(track(name, messageId=f"{name} {number}", properties={"fill": "x" * length}) for number in range(count))
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_large_gzip_that_is_cut_is_quarantined_whole(workers: int, project: Callable[..., Config]) -> None:
    config = project(load=SMALL_MEMORY.replace("1", str(workers), 1))
    data = packed(many("Cut", 15_000))
    for name in ("b", "c"):  # two, so that the second is found in the same go
        harness.put(config, f"{name}.jsonl.gz", data[: len(data) * 9 // 10], packed=False)
    harness.put(config, "a.jsonl", many("Good", 2_000), packed=False)
    harness.put(config, "d.jsonl", many("Late", 2_000), packed=False)
    [result] = harness.run(config)
    assert (result.conserved, result.rows, result.events, result.quarantined) == (True, 4_000, 4_000, 0)
    assert {table: len(rows) for table, rows in harness.tables(config).items()} == {
        "good": 2000,
        "late": 2000,
        "tracks": 4000,
    }
    assert sorted((line, reason) for _, line, _, reason in harness.quarantine(config)) == [(0, "truncated_gzip")] * 2
    harness.assert_settled(config)


class Meddling(Silent):
    """A progress that does something to the files when the first chunk was read."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.acts = [act]

    def advance(self, amount: int, *, events: int = 0) -> None:  # noqa: ARG002 - of the protocol
        """Act, once."""
        while self.acts:
            self.acts.pop()()


def meddled(config: Config, act: Callable[[], object]) -> LoadResult:
    [result] = load(config, "web", window=Window(), replay=False, progress=Meddling(act))
    return result


def claim(config: Config) -> None:
    """Claim what is there, as a load does that is killed right after."""
    edges = open_edges(config, "web")
    with leased(edges, Silent()), warehouse(config) as opened, opened.session() as session:
        for each in loads("web", pending(edges, session, Window()).arrivals, max_bytes=1 << 30):
            ledger.claim(session, "web", each, kind="load", now=datetime.now(UTC))


def rewrite(path: Path, content: bytes) -> Callable[[], object]:
    return lambda: path.write_bytes(content)


def put_three(config: Config, middle: bytes) -> Path:
    harness.put(config, "a.jsonl", many("Good", 50), packed=False)
    harness.put(config, "c.jsonl", many("Late", 50), packed=False)
    return harness.put(config, "b.jsonl", middle, packed=False)


def assert_left_out(config: Config, result: LoadResult) -> None:
    """Assert that `b` was left out whole, and nothing else was."""
    assert (result.state, result.conserved, result.rows) == ("done", True, 100)
    assert set(harness.tables(config)) == {"good", "late", "tracks"}
    assert ("b.jsonl", "released", "changed") in harness.file_states(config)
    [problem] = result.problems
    assert problem.startswith(f"{HOUR}b.jsonl: changed: ")
    harness.assert_settled(config)


@pytest.mark.parametrize("new", [FEW, b"", GZIP], ids=["other lines", "nothing", "other lines, packed"])
def test_a_file_rewritten_between_listing_and_reading_is_loaded_as_it_is_next(
    new: bytes, project: Callable[..., Config]
) -> None:
    config = project()
    path = put_three(config, many("Old", 10))
    claim(config)
    path.write_bytes(new)
    [result, then] = harness.run(config)
    assert_left_out_then(config, result, then, rows=100 if new else 0)


def assert_left_out_then(config: Config, result: LoadResult, then: LoadResult, *, rows: int) -> None:
    assert (result.resumed, result.rows, then.rows, then.conserved) == (True, 100, rows, True)
    assert "old" not in harness.tables(config)
    assert len(harness.tables(config).get("few", [])) == rows
    assert {("b.jsonl", "released", "changed"), ("b.jsonl", "loaded", None)} <= harness.file_states(config)
    assert harness.run(config) == []


def test_a_file_deleted_between_listing_and_reading_is_left_out(project: Callable[..., Config]) -> None:
    config = project()
    path = put_three(config, FEW)
    claim(config)
    path.unlink()
    [result] = harness.run(config)
    assert_left_out(config, result)
    assert harness.run(config) == []


def test_a_file_deleted_while_another_is_read_is_left_out(project: Callable[..., Config]) -> None:
    config = project()
    path = put_three(config, FEW)
    assert_left_out(config, meddled(config, path.unlink))


@pytest.mark.parametrize("new", [FEW, b"", many("Old", 100_000, 1)[: 20 << 20]], ids=["shorter", "empty", "longer"])
def test_a_large_file_rewritten_while_it_is_read_is_left_out(new: bytes, project: Callable[..., Config]) -> None:
    config = project(load=SMALL_MEMORY)
    path = put_three(config, many("Old", 20_000))
    first = path.parent / "a.jsonl"
    first.rename(path.with_name("d.jsonl"))  # so that `b` is the first to be read
    result = meddled(config, rewrite(path, new))
    assert_left_out(config, result)
    [then] = harness.run(config)
    assert then.conserved
    assert then.problems == ()


def test_a_file_replaced_while_it_is_read_is_loaded_as_it_was_and_then_as_it_is(project: Callable[..., Config]) -> None:
    config = project()
    path = harness.put(config, "b.jsonl", many("Old", 100), packed=False)
    new = harness.put(config, ".new", FEW, packed=False)
    result = meddled(config, lambda: new.replace(path))
    assert (result.rows, result.problems) == (100, ())
    [then] = harness.run(config)
    assert then.rows == 100
    assert set(harness.tables(config)) == {"old", "few", "tracks"}


def test_a_folder_a_pipe_and_a_dangling_link_are_no_files(project: Callable[..., Config]) -> None:
    config = project()
    path = harness.put(config, "a.jsonl", FEW, packed=False)
    (path.parent / "b.jsonl").mkdir()
    (path.parent / "c.jsonl").symlink_to(path.parent / "gone")
    os.mkfifo(path.parent / "d.jsonl")
    [result] = harness.run(config)
    assert (result.files, result.rows, result.problems) == (1, 100, ())


def test_files_that_do_not_follow_the_layout_are_told(project: Any) -> None:
    config = project()
    harness.put(config, "a.jsonl", FEW, packed=False)
    harness.put(config, "2026-13-45/99/b.jsonl", FEW, packed=False)
    progress = Silent()
    [result] = load(config, "web", window=Window(), replay=False, progress=progress)
    assert result.files == 1
    assert any("2026-13-45/99/b.jsonl" in note for note in progress.notes)


def test_a_file_of_a_day_to_come_hides_none_that_arrive_before_it(project: Callable[..., Config]) -> None:
    config = project()
    harness.put(config, "2099-01-01/00/a.jsonl.gz", lines(track(messageId="early")))
    harness.put(config, "a.jsonl.gz", lines(track(messageId="first")))
    assert [each.rows for each in harness.run(config)] == [2]
    harness.put(config, "2026-01-01/06/b.jsonl.gz", lines(track(messageId="next")))
    assert [each.rows for each in harness.run(config)] == [1]
    assert harness.run(config) == []
