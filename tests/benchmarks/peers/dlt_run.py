"""dlt to DuckDB, as its users run it: one resource over all files, a table per event name, appended, default settings.

Lines are parsed as dlt's own `read_jsonl` does it: with orjson, a thousand to a batch. `tuned` sets what dlt's page on
performance advises (dlthub.com/docs/reference/performance): smaller buffers, rotated files, two normalize processes.
"""

import gzip
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import dlt
from dlt.common.json import json

BATCH_EVENTS = 1_000
COMMON = {"RUNTIME__DLTHUB_TELEMETRY": "false"}
SETTINGS = {
    "default": COMMON,
    "tuned": {
        **COMMON,
        "DATA_WRITER__BUFFER_MAX_ITEMS": "500",  # the default, 5,000 per table, was slower
        "DATA_WRITER__FILE_MAX_ITEMS": "20000",  # one file is normalized by one process
        "NORMALIZE__WORKERS": "2",
    },
}


def main(events: Path, database: Path, settings: str) -> None:
    """Append all files below `events` to a new database file; dlt works in the folder of that file."""
    os.environ.update(SETTINGS[settings])
    pipeline = dlt.pipeline(
        pipeline_name="benchmark",
        pipelines_dir=str(database.parent / "pipelines"),
        destination=dlt.destinations.duckdb(str(database)),
        dataset_name="web",
    )
    pipeline.run(dlt.resource(_batches(events), name="events", table_name=_table, write_disposition="append"))


def _batches(events: Path) -> Iterator[list[dict[str, Any]]]:
    for path in sorted(events.rglob("*.gz")):
        with gzip.open(path) as lines:
            while batch := [json.loadb(line) for line in islice(lines, BATCH_EVENTS)]:
                yield batch


def _table(event: dict[str, Any]) -> str:
    return str(event["event"] if event["type"] == "track" else event["type"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
