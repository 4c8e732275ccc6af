"""The system columns of rows: where their values lie in a call, and what they are where they were not sent."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from loader.core import spec
from loader.core.leaves import Path, Rows
from loader.core.lines import Ints
from loader.core.spec import Call
from loader.core.timestamps import MICROSECONDS, corrected

ID: Path = ("messageId",)


def roots(call: Call) -> tuple[str, ...]:
    """Return the top-level keys of a call that hold its columns."""
    texts = tuple(key for key in call.texts.values() if key)
    body = (call.body,) if call.body else ()
    return ("messageId", "anonymousId", "userId", *spec.TIMES.values(), *texts, "context", *body)


def text_paths(call: Call) -> set[Path]:
    """Return the paths that hold strings in every call, whatever these look like."""
    return {(key,) for key in roots(call) if key not in ("context", call.body)}


def ids(rows: Rows, missing: dict[int, str]) -> pa.Array:
    """Return the rows' ids; those that were sent without one are taken out of `missing`, by row key."""
    found = [leaf.array for leaf in rows.leaves if leaf.path == ID]
    sent = found[0] if found else pa.nulls(len(rows.keys), pa.string())
    blank = pc.equal(sent, "")
    sent = pc.if_else(blank, None, sent) if pc.any(blank).as_py() else sent
    if not sent.null_count:
        return sent
    made = [None if sent[row].is_valid else missing.pop(int(key)) for row, key in enumerate(rows.keys)]
    return pc.coalesce(sent, pa.array(made, pa.string()))


def completed(times: dict[str, pa.ChunkedArray], partition_at: Ints) -> Iterator[tuple[str, pa.Array]]:
    """Yield the four system times, with `received_at` and `timestamp` filled where they were not sent."""
    start = pa.array(partition_at).cast(MICROSECONDS)
    arrays = {name: each.combine_chunks() for name, each in times.items()}
    received = pc.coalesce(arrays["received_at"], start) if arrays["received_at"].null_count else arrays["received_at"]
    arrays["received_at"] = received
    if arrays["timestamp"].null_count:
        computed = corrected(received, arrays["sent_at"], arrays["original_timestamp"])
        arrays["timestamp"] = pc.coalesce(arrays["timestamp"], computed)
    yield from arrays.items()
