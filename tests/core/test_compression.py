"""Bytes of an object are unpacked by what they are, however they are chunked, and damage is never silent."""

import gzip
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from loader.core.compression import unpacked
from loader.errors import CorruptFileError

TEXT = b'{"type":"track","event":"Order Completed"}\n' * 40
ZSTD = zstandard.ZstdCompressor().compress
PACKED = {
    "plain": TEXT,
    "plain with a byte order mark": b"\xef\xbb\xbf" + TEXT,
    "gzip": gzip.compress(TEXT),
    "gzip of a text with a byte order mark": gzip.compress(b"\xef\xbb\xbf" + TEXT),
    "gzip of two members": gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]),
    "gzip with an empty member": gzip.compress(b"") + gzip.compress(TEXT),
    "gzip with an empty member before a byte order mark": gzip.compress(b"") + gzip.compress(b"\xef\xbb\xbf" + TEXT),
    "gzip padded with zeros": gzip.compress(TEXT) + b"\0" * 20,
    "gzip with a file name": b"\x1f\x8b\x08\x08" + gzip.compress(TEXT)[4:10] + b"a.json\0" + gzip.compress(TEXT)[10:],
    "zstandard": ZSTD(TEXT),
    "zstandard of two frames": ZSTD(TEXT[:100]) + ZSTD(TEXT[100:]),
    "zstandard of a text with a byte order mark": ZSTD(b"\xef\xbb\xbf" + TEXT),
}


def chunks(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return (data[start:stop] for start, stop in pairwise(edges))


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 10_000])
def test_a_file_is_unpacked_in_chunks_of_any_size(packed: bytes, step: int) -> None:
    assert b"".join(unpacked(packed[at : at + step] for at in range(0, len(packed), step))) == TEXT


@given(st.sampled_from(sorted(PACKED)), st.lists(st.integers(0, 2_000), max_size=6))
def test_a_file_is_unpacked_whatever_its_chunks(name: str, cuts: list[int]) -> None:
    assert b"".join(unpacked(chunks(PACKED[name], cuts))) == TEXT


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"\n", b"\n", id="one byte"),
        pytest.param(b"\x1f", b"\x1f", id="half of a magic number"),
        pytest.param(b"\xef\xbb\xbf", b"", id="a byte order mark alone"),
        pytest.param(b"\xef\xbb", b"\xef\xbb", id="half of a byte order mark"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbf{}", b"\xef\xbb\xbf{}", id="two byte order marks: one goes"),
        pytest.param(b"{}\xef\xbb\xbf", b"{}\xef\xbb\xbf", id="a byte order mark at the end stays"),
        pytest.param(gzip.compress(b""), b"", id="gzip of nothing"),
        pytest.param(ZSTD(b""), b"", id="zstandard of nothing"),
    ],
)
@pytest.mark.parametrize("step", [1, 100])
def test_a_small_file(content: bytes, expected: bytes, step: int) -> None:
    assert b"".join(unpacked(content[at : at + step] for at in range(0, len(content), step))) == expected


GZIPPED, ZIPPED = gzip.compress(TEXT), ZSTD(TEXT)
TWO = gzip.compress(TEXT) + gzip.compress(TEXT)
DAMAGED = [
    pytest.param(GZIPPED[:-1], "truncated_gzip", id="gzip without its last byte"),
    pytest.param(GZIPPED[:20], "truncated_gzip", id="gzip cut in the middle"),
    pytest.param(GZIPPED[:2], "truncated_gzip", id="gzip cut in its header"),
    pytest.param(TWO[:-5], "truncated_gzip", id="gzip cut in its second member"),
    pytest.param(GZIPPED[:-8] + b"\0" * 8, "corrupt_gzip", id="gzip with a wrong checksum"),
    pytest.param(GZIPPED[:10] + b"\xff" * 20, "corrupt_gzip", id="gzip with other bytes"),
    pytest.param(GZIPPED + b"garbage" * 5, "corrupt_gzip", id="gzip with something behind"),
    pytest.param(ZIPPED[:-1], "truncated_zstd", id="zstandard without its last byte"),
    pytest.param(ZIPPED[:4], "truncated_zstd", id="zstandard cut in its header"),
    pytest.param(ZIPPED + ZIPPED[:-1], "truncated_zstd", id="zstandard cut in its second frame"),
    pytest.param(ZIPPED[:4] + b"\xff" * 30, "corrupt_zstd", id="zstandard with other bytes"),
    pytest.param(ZIPPED + b"garbage", "corrupt_zstd", id="zstandard with something behind"),
]


@pytest.mark.parametrize(("packed", "reason"), DAMAGED)
@pytest.mark.parametrize("step", [1, 10_000])
def test_damage_is_an_error_with_its_reason(packed: bytes, reason: str, step: int) -> None:
    with pytest.raises(CorruptFileError) as caught:
        list(unpacked(packed[at : at + step] for at in range(0, len(packed), step)))
    assert caught.value.reason == reason


@pytest.mark.parametrize("packed", [GZIPPED, ZIPPED], ids=["gzip", "zstandard"])
def test_no_cut_goes_unnoticed(packed: bytes) -> None:
    for length in range(4, len(packed)):
        with pytest.raises(CorruptFileError):
            list(unpacked([packed[:length]]))


@pytest.mark.parametrize("compress", [gzip.compress, ZSTD], ids=["gzip", "zstandard"])
def test_a_small_object_of_much_text_comes_in_pieces(compress: Callable[[bytes], bytes]) -> None:
    pieces = [len(piece) for piece in unpacked([compress(b" " * (20 << 20))])]
    assert sum(pieces) == 20 << 20
    assert max(pieces) <= 4 << 20
