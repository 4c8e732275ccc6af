"""dlt to DuckDB, as its users run it: one resource over all files, a table per event name, appended, usual settings.

Lines are parsed as dlt's own `read_jsonl` does it: with orjson, a thousand to a batch. Three ways (argument 3):
- `parquet`: Parquet instead of INSERT statements, as its page on DuckDB advises where pyarrow is installed
  (dlthub.com/docs/0.5.4/dlt-ecosystem/destinations/duckdb, read 2026-11-21); all else as it comes;
- `tuned`: that, with what its page on performance names (dlthub.com/docs/reference/performance, read 2026-11-21):
  smaller buffers, rotated files, two normalize processes;
- `inserts`: INSERT statements, what it does with DuckDB if nothing is set: far slower and larger.
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
SETTINGS = {
    "inserts": {},
    "parquet": {},
    "tuned": {
        "DATA_WRITER__BUFFER_MAX_ITEMS": "500",  # the default, 5,000 per table, was slower
        "DATA_WRITER__FILE_MAX_ITEMS": "20000",  # one file is normalized by one process
        "NORMALIZE__WORKERS": "2",
    },
}


def main(events: Path, database: Path, way: str) -> None:
    """Append all files below `events` to a new database file; dlt works in the folder of that file."""
    os.environ.update({"RUNTIME__DLTHUB_TELEMETRY": "false", **SETTINGS[way]})
    pipeline = dlt.pipeline(
        pipeline_name="benchmark",
        pipelines_dir=str(database.parent / "pipelines"),
        destination=dlt.destinations.duckdb(str(database)),
        dataset_name="web",
    )
    resource = dlt.resource(_batches(events), name="events", table_name=_table, write_disposition="append")
    pipeline.run(resource, loader_file_format="insert_values" if way == "inserts" else "parquet")


def _batches(events: Path) -> Iterator[list[dict[str, Any]]]:
    for path in sorted(events.rglob("*.gz")):
        with gzip.open(path) as lines:
            while batch := [json.loadb(line) for line in islice(lines, BATCH_EVENTS)]:
                yield batch


def _table(event: dict[str, Any]) -> str:
    return str(event["event"] if event["type"] == "track" else event["type"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
