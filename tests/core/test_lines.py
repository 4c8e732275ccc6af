"""Blocks are cut at line ends, and only a line that is one object is ever taken for a plain one."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loader.core.calls import Slices, heads
from loader.core.lines import blocks, joined, looks_like_objects, of, split

LONG = 1 << 20
CHUNKS = st.lists(st.text("ab\n", max_size=8).map(str.encode), max_size=8)


@given(CHUNKS, st.integers(1, 12))
def test_blocks_are_whole_lines_however_the_file_is_chunked(chunks: list[bytes], block_bytes: int) -> None:
    content = b"".join(chunks)
    found = list(blocks(chunks, block_bytes, max_line_bytes=LONG))
    assert b"".join(found) == content + b"\n" * (content[-1:] not in (b"", b"\n"))
    assert all(block.endswith(b"\n") for block in found)


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\r", b"\n")), st.integers(1, 9))
def test_blocks_grow_no_further_than_a_chunk_and_a_line(content: bytes, block_bytes: int) -> None:
    longest = max(map(len, content.split(b"\n"))) + 1
    found = blocks((content[at : at + 4] for at in range(0, len(content), 4)), block_bytes, max_line_bytes=LONG)
    assert all(len(block) <= block_bytes + 4 + longest for block in found)


PIECES_OF_LINES = st.sampled_from([b"\n", b"\n", b" ", b"\t\r ", b"{}", b'{"a":', b'"   "}', b"xyz"])


@given(st.lists(PIECES_OF_LINES, max_size=20), st.integers(1, 12), st.integers(0, 9))
def test_a_line_without_its_rest_is_still_too_long_or_no_event(
    chunks: list[bytes], block_bytes: int, max_line_bytes: int
) -> None:
    sent = b"".join(chunks).split(b"\n")
    found = b"".join(blocks(chunks, block_bytes, max_line_bytes=max_line_bytes)).split(b"\n")
    assert len(found) - (found[-1:] == [b""]) == len(sent) - (sent[-1:] == [b""])
    for before, after in zip(map(bytes.strip, sent), map(bytes.strip, found), strict=False):
        if before == after:
            continue
        assert len(before) + len(b" \t\r ") > max_line_bytes
        assert len(after) > max_line_bytes or not is_json(after)


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_a_line_without_an_end_takes_no_more_memory_than_one_that_is_just_too_long() -> None:
    endless = (b"x" * 1_000 for _ in range(5_000))
    [block] = blocks(endless, 100, max_line_bytes=10_000)
    assert 10_000 < len(block) < 17_000


@given(CHUNKS)
def test_lines_of_a_block_are_its_lines(chunks: list[bytes]) -> None:
    content = b"".join(chunks) + b"\n"
    lines = split(content)
    assert [lines.line(index) for index in range(len(lines))] == content.split(b"\n")[:-1]
    assert lines.array().to_pylist() == [line + b"\n" for line in content.split(b"\n")[:-1]]


def test_lines_are_taken_viewed_sliced_and_joined() -> None:
    lines = of([b"a", b"", b"ccc", b"dd"])
    taken = lines.take(np.array([3, 0, 0]))
    assert taken.array().to_pylist() == [b"dd\n", b"a\n", b"a\n"]
    assert lines.view(1, 3).array().to_pylist() == [b"\n", b"ccc\n"]
    assert lines.slice(2, 4).array().to_pylist() == [b"ccc\n", b"dd\n"]
    assert joined([taken, lines.view(0, 2)]).array().to_pylist() == [b"dd\n", b"a\n", b"a\n", b"a\n", b"\n"]


def test_a_line_loses_white_space_around_it_and_no_other() -> None:
    assert split(b" \t{ } \t\r\r\n").line(0) == b"{ }"
    assert split(b"\x0b\xc2\xa0\n").line(0) == b"\x0b\xc2\xa0"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"{}", True),
        (b'{"a":1}\r', True),
        (b"{} ", False),
        (b" {}", False),
        (b"", False),
        (b"\r", False),
        (b"{", False),
        (b"}", False),
        (b"{\r", False),
        (b"[{}]", False),
        (b"{}\r\r", False),
    ],
)
def test_which_lines_look_like_objects(line: bytes, expected: bool) -> None:
    assert looks_like_objects(of([b"{}", line, b"{}"])).tolist() == [True, expected, True]


EVENT = b'{"type":"track","event":"a","userId":"u"}'
PIECES = [
    b"{",
    b"}",
    b"{}",
    b'{"a":[{}',
    b"{}]}",
    b'{"a":{}',
    b'"}',
    b'{"',
    b",",
    b"\r",
    EVENT,
    b'{"type":"a"}',
    b"[",
    b"]",
]
LINES = st.lists(st.lists(st.sampled_from(PIECES), max_size=4).map(b"".join), min_size=1, max_size=6)


@given(LINES)
@example([EVENT + EVENT])
@example([EVENT + EVENT, b'{"a":[{}', b"{}]}"])  # two values, and one over two lines: as many as lines
@example([b'{"a":[{}', b"{}]}", EVENT + EVENT])
@example([b'{"a":"}', b'{"}', EVENT, EVENT + EVENT])  # a string over two lines
@example([EVENT, b'{"a":{}', b"{}}", b"{}{}"])
def test_only_a_line_that_is_one_object_is_taken_for_a_plain_one(texts: list[bytes]) -> None:
    lines = of(texts)
    chosen = np.flatnonzero(looks_like_objects(lines))
    plain = lines.take(chosen)
    found = heads(memoryview(plain.data), len(plain), Slices(memoryview(plain.data), plain.offsets.tolist()))
    assert len(found) == len(chosen)
    for index, head in zip(chosen.tolist(), found, strict=True):
        if head is not None:
            assert isinstance(json.loads(texts[index]), dict)
            assert head.type == json.loads(texts[index]).get("type")


def test_events_between_refused_lines_are_found() -> None:
    texts = [EVENT] * 300 + [EVENT + EVENT] + [EVENT] * 300
    lines = of(texts)
    found = heads(memoryview(lines.data), len(lines), Slices(memoryview(lines.data), lines.offsets.tolist()))
    assert [index for index, head in enumerate(found) if head is None] == [300]
