"""What a load could not take, for a person to look at: counts by reason, with a few samples whose content is masked."""

import re
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from loader.core.compression import unpacked
from loader.core.objects import load_bytes
from loader.core.places import place
from loader.core.report import ROW
from loader.core.spec import CALLS
from loader.errors import CorruptFileError, StorageError
from loader.load.bad_input import numbered
from loader.load.runs import Manifest, Run

_SHOWN = 10  # reasons, and samples of each kind
_CHARACTERS = 160
_CALLS = {*CALLS, *(word.lower() for word in CALLS)}
# Words of the Segment spec that say nothing about a person. All else may.
_PLAIN = _CALLS | {
    *("type", "event", "messageId", "userId", "anonymousId", "properties", "traits", "context", "timestamp"),
    *("receivedAt", "sentAt", "originalTimestamp", "batch", "name", "groupId", "previousId", "integrations"),
    *("true", "false", "null"),
}


def bad_input(run: Run, manifest: Manifest) -> tuple[str, ...]:
    """Return lines of Markdown: quarantined files and lines, and rejected values. Empty where all was taken."""
    return (*_files(run, manifest), *_lines(run, manifest), *_values(run, manifest))


def masked(text: str) -> str:
    """Return a text whose letters and digits are hidden, but for words of the Segment spec.

    >>> masked('{"type":"track","userId":"ann@example.com","total":12.5}')
    '{"type":"track","userId":"xxx@xxxxxxx.xxx","xxxxx":99.9}'
    """
    return re.sub(r"\w+", lambda word: word[0] if word[0] in _PLAIN else _hidden(word[0]), text[:_CHARACTERS]) + (
        "…" if len(text) > _CHARACTERS else ""
    )


def _hidden(word: str) -> str:
    return "".join("9" if each.isdigit() else "x" for each in word)


def _files(run: Run, manifest: Manifest) -> Iterator[str]:
    for bad in manifest.bad_files[:_SHOWN]:
        yield f"- file `{run.load.arrivals[bad.file].file.key}` could not be read: {bad.reason}"
    if len(manifest.bad_files) > _SHOWN:
        yield f"- … and {len(manifest.bad_files) - _SHOWN:,} more files"


def _lines(run: Run, manifest: Manifest) -> Iterator[str]:
    found = [pair for key in manifest.quarantine for pair in zip(*_columns(run, key, ROW, "reason"), strict=True)]
    for reason, count in Counter(reason for _, reason in found).most_common(_SHOWN):
        yield f"- {count:,} quarantined: {reason}"
    for key, reason in found[: _SHOWN // 2]:
        ordinal, line, _ = place(key)
        file = run.load.arrivals[ordinal].file
        try:
            text = numbered(unpacked(run.edges.events.read(file)), line, run.edges.policy.max_line_bytes)
        except (StorageError, CorruptFileError):
            continue  # gone since: the counts stand
        sample = masked((text or b"").decode(errors="replace")).replace("`", "'")
        yield f"    - `{file.key}` line {line}, {reason}: `{sample}`"


def _values(run: Run, manifest: Manifest) -> Iterator[str]:
    counted: Counter[tuple[str, str, str]] = Counter()
    samples: dict[tuple[str, str, str], str] = {}
    for key, voided in manifest.rejects:
        names = ("table_name", "column_name", "reason", "value")
        for table, column, reason, value in zip(*_columns(run, key, *names), strict=True):
            if table not in voided:
                counted[table, column, reason] += 1
                samples.setdefault((table, column, reason), value)
    for (table, column, reason), count in counted.most_common(_SHOWN):
        sample = masked(samples[table, column, reason]).replace("`", "'")
        yield f"- {count:,} rejected in `{run.edges.settings.schema}.{table}.{column}`: {reason}, like `{sample}`"
    if len(counted) > _SHOWN:
        yield f"- … and rejects in {len(counted) - _SHOWN:,} more columns"


def _columns(run: Run, key: str, *names: str) -> list[list[object]]:
    found = pq.read_table(pa.BufferReader(load_bytes(run.edges.staging, key)), columns=list(names))
    return [found[name].to_pylist() for name in names]
