"""Bytes of an object → its lines' bytes: gzip, zstandard or plain, told by the first bytes.

Names and headers lie: archives come as `.json` with `Content-Encoding: gzip`, unpacked on the way or not.
"""

from collections.abc import Iterable, Iterator

import zstandard
from isal import isal_zlib

from loader.core.lines import BYTE_ORDER_MARK
from loader.errors import CorruptFileError

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_GZIP_WINDOW = 31
_STEP = 4 << 20  # bytes that one call of a decompressor may give
_ZSTD_STEP = 4 << 10  # bytes that it is given at once: zstandard has no other bound, and packs up to 32,000 to 1


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of an object, in chunks of bounded size, without a byte order mark.

    CorruptFileError if compressed bytes are damaged or end too early; what came before is not to be trusted then.
    """
    stream = iter(chunks)
    head = b""
    for chunk in stream:
        head += chunk
        if len(head) >= 4:
            break
    rest = _chained(head, stream)
    if head.startswith(_GZIP):
        return _unmarked(_gunzipped(rest))
    return _unmarked(_unzstd(rest) if head.startswith(_ZSTD) else rest)


def _chained(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


def _unmarked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(BYTE_ORDER_MARK):
            break
    yield first.removeprefix(BYTE_ORDER_MARK)
    yield from chunks


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    member = isal_zlib.decompressobj(wbits=_GZIP_WINDOW)
    begun = False
    try:
        for chunk in chunks:
            data = chunk
            while data:
                if member.eof:  # several members in a row are one file; zero bytes may pad the end
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    member = isal_zlib.decompressobj(wbits=_GZIP_WINDOW)
                begun = True
                yield member.decompress(data, _STEP)
                data = member.unused_data if member.eof else member.unconsumed_tail
    except isal_zlib.error as error:  # type: ignore[misc]  # an exception class that the stubs do not know
        raise CorruptFileError("corrupt_gzip", f"gzip data is damaged: {error}") from error
    if begun and not member.eof:
        raise CorruptFileError("truncated_gzip", "gzip data ends before its end mark; the upload was cut short")


def _unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    frame = zstandard.ZstdDecompressor().decompressobj()
    begun = False
    try:
        for chunk in chunks:
            for start in range(0, len(chunk), _ZSTD_STEP):
                data = chunk[start : start + _ZSTD_STEP]
                while data:
                    if begun and frame.eof:
                        frame = zstandard.ZstdDecompressor().decompressobj()
                    begun = True
                    found = frame.decompress(data)
                    yield from (found[at : at + _STEP] for at in range(0, len(found), _STEP))
                    data = frame.unused_data if frame.eof else b""
    except zstandard.ZstdError as error:
        raise CorruptFileError("corrupt_zstd", f"zstandard data is damaged: {error}") from error
    if begun and not frame.eof:
        raise CorruptFileError("truncated_zstd", "zstandard data ends before its end; the upload was cut short")
