"""Blocks of bytes → lines, without a Python object per line.

A block is whole lines of one file. Its lines stay in one buffer, with the offsets where each begins;
they are grouped per table by native calls on that buffer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
NEWLINE = 10
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_OPEN, _CLOSE, _RETURN = ord("{"), ord("}"), ord("\r")


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines in one buffer, each with its newline; `offsets` has one more entry than there are lines."""

    data: pa.Buffer
    offsets: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def line(self, index: int) -> bytes:
        """Return one line, without white space around it."""
        start, stop = int(self.offsets[index]), int(self.offsets[index + 1])
        return bytes(self.data[start:stop]).strip(_SPACE)

    def take(self, order: Ints) -> "Lines":
        """Return the lines at the positions `order`, in that order, in a buffer of their own."""
        taken = self.array().take(pa.array(order))
        return Lines(taken.buffers()[2], np.frombuffer(taken.buffers()[1], np.int32)[: len(order) + 1])

    def view(self, start: int, stop: int) -> "Lines":
        """Return lines `start` to `stop` in the same buffer."""
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        return Lines(self.data[first:last], self.offsets[start : stop + 1] - first)

    def slice(self, start: int, stop: int) -> "Lines":
        """Return lines `start` to `stop`, copied, so that they do not keep the whole buffer alive."""
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        return Lines(pa.py_buffer(bytes(self.data[first:last])), self.offsets[start : stop + 1] - first)

    def array(self) -> pa.Array:
        """Return the lines as one Arrow array of bytes, without a copy."""
        return pa.Array.from_buffers(pa.binary(), len(self), [None, pa.py_buffer(self.offsets), self.data])


def split(block: bytes) -> Lines:
    """Return the lines of a block that ends in a newline."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE) + 1
    return Lines(pa.py_buffer(block), np.concatenate([[0], ends]).astype(np.int32))


def joined(parts: Iterable[Lines]) -> Lines:
    """Return the lines of all parts, in order."""
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    shifts = np.cumsum([0, *(part.data.size for part in parts)])
    offsets = [part.offsets[:-1] + shift for part, shift in zip(parts, shifts[:-1], strict=True)]
    return Lines(
        pa.py_buffer(b"".join(part.data for part in parts)), np.concatenate([*offsets, shifts[-1:]]).astype(np.int32)
    )


def of(texts: Iterable[bytes]) -> Lines:
    """Return lines made of single texts."""
    ended = [text + b"\n" for text in texts]
    return Lines(pa.py_buffer(b"".join(ended)), np.cumsum([0, *map(len, ended)]).astype(np.int32))


def looks_like_objects(lines: Lines) -> npt.NDArray[np.bool_]:
    """Return which lines begin with `{` and end with `}` (a carriage return may follow).

    Where two neighbours both do, no JSON value spans the border between them: inside a value a `}` is
    never followed by a `{`. So as many values as lines means one value on every line.
    """
    raw = np.frombuffer(lines.data, np.uint8)
    starts, stops = lines.offsets[:-1], lines.offsets[1:] - 2  # last byte before the newline
    safe = np.maximum(stops, starts)  # an empty line has no such byte: it reads its own newline
    stops = np.where(raw[safe] == _RETURN, np.maximum(safe - 1, starts), safe)
    return np.asarray((raw[starts] == _OPEN) & (raw[stops] == _CLOSE))


def blocks(chunks: Iterable[bytes], block_bytes: int, *, max_line_bytes: int) -> Iterator[bytes]:
    """Yield blocks of whole lines of about `block_bytes`, each ending in a newline; never an empty one.

    A line longer than a block makes a longer block, and one longer than `max_line_bytes` may come without most of its
    rest, but still too long: a small file can unpack to a line of many gigabytes.
    """
    pending: list[bytes] = []
    size = 0
    for chunk in _shortened(chunks, max_line_bytes):
        pending.append(chunk)
        size += len(chunk)
        if size < block_bytes or (cut := chunk.rfind(b"\n") + 1) == 0:
            continue
        pending[-1] = chunk[:cut]
        yield b"".join(pending)
        pending, size = [chunk[cut:]], len(chunk) - cut
    rest = b"".join(pending)
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def _shortened(chunks: Iterable[bytes], max_line_bytes: int) -> Iterator[bytes]:
    """Yield the chunks with `x` for what comes of a line after too much of it came, and nothing for white space.

    So a line with something behind `max_line_bytes` cannot become one that is shorter, or blank.
    """
    begun = 0  # bytes of the line whose end did not come yet
    for chunk in chunks:
        kept = chunk
        if begun > max_line_bytes:
            end = chunk.find(b"\n")
            more = chunk if end < 0 else chunk[:end]
            kept = (b"x" if more.strip(_SPACE) else b"") + chunk[len(more) :]
        last = kept.rfind(b"\n")
        begun = begun + len(kept) if last < 0 else len(kept) - last - 1
        yield kept
