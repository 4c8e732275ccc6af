"""The event files that every run reads: made once per shape, the same bytes on every machine."""

import gzip
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree

import msgspec

from loader.core import synthetic
from loader.core.synthetic import Shape

EVENTS_PER_FILE = 10_000
FACTS = "facts.json"  # written last: a folder with it is whole


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder of gzip files of JSON lines, in hourly folders of one day, and what is in them."""

    folder: Path  # hourly folders lie in its `events`
    event_names: int  # of track events
    files: int
    lines: int
    unique_ids: int  # lines less repeated events
    raw_bytes: int
    packed_bytes: int

    @property
    def events(self) -> Path:
        """The folder that is loaded: it holds nothing but event files."""
        return self.folder / "events"


class _Id(msgspec.Struct):
    messageId: str  # noqa: N815 a key of the events


def corpus(work: Path, *, events: int, event_names: int) -> Corpus:
    """Return the corpus of a size, made now unless an earlier call has made it from the same generator."""
    shape = Shape(events=events, event_names=event_names, files=-(-events // EVENTS_PER_FILE))
    made_by = sha256(Path(synthetic.__file__).read_bytes() + repr(shape).encode()).hexdigest()
    folder = work / f"corpus-{events}-{event_names}-{made_by[:8]}"
    if not (folder / FACTS).exists():
        rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / FACTS).write_bytes(msgspec.json.encode(_written(folder, shape)))
    facts = msgspec.json.decode((folder / FACTS).read_bytes(), type=dict[str, int])
    return Corpus(folder=folder, event_names=event_names, **facts)


def warm(made: Corpus) -> None:
    """Read every file once, so that the first run does not pay for the disk alone."""
    for path in made.events.rglob("*.gz"):
        path.read_bytes()


def _written(folder: Path, shape: Shape) -> dict[str, int]:
    ids: set[bytes] = set()
    totals = {"lines": 0, "raw_bytes": 0, "packed_bytes": 0}
    write = partial(_write, folder / "events", shape)
    # Spawned: a fork would take along whatever threads this process has.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for sizes, found in pool.map(write, range(shape.files)):
            ids.update(found[start : start + 16] for start in range(0, len(found), 16))
            totals = {key: totals[key] + sizes[key] for key in totals}
    return {"files": shape.files, "unique_ids": len(ids), **totals}


def _write(events: Path, shape: Shape, index: int) -> tuple[Mapping[str, int], bytes]:
    """Write one file; return its sizes, and the ids of its events, 16 bytes each."""
    key, raw = synthetic.file(shape, index)
    packed = gzip.compress(raw, 6, mtime=0)
    path = events / f"{key}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)
    lines = raw.splitlines()
    return {"lines": len(lines), "raw_bytes": len(raw), "packed_bytes": len(packed)}, b"".join(map(_id, lines))


def _id(line: bytes) -> bytes:
    return bytes.fromhex(msgspec.json.decode(line, type=_Id).messageId.replace("-", ""))
