"""DuckDB alone: every file into one raw table, with the types that `read_json` finds. No tables per event, no dedupe.

A value that contradicts the sampled types would stop it (docs: data/json/loading_json); `ignore_errors` makes such
values null, which costs DuckDB nothing and us nothing in the comparison. `union_by_name` samples every file.
"""

import sys
from pathlib import Path

import duckdb

READ = "read_json(?, format = 'newline_delimited', union_by_name = true, ignore_errors = true)"


def main(events: Path, database: Path, threads: int) -> None:
    """Load all files below `events` into the table `web.raw` of a new database file."""
    with duckdb.connect(database, config={"threads": threads}) as connection:
        connection.execute("CREATE SCHEMA web")
        connection.execute(f"CREATE TABLE web.raw AS SELECT * FROM {READ}", [f"{events}/**/*.gz"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
