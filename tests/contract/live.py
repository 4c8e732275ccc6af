"""Real accounts as places: `make test-live` runs the contract suite against those that a file of settings names.

`LIVE_POSTGRES=settings.toml` (and so on, by kind) names a file with [warehouse], and [staging] where parts must lie in
a bucket, as in loader.toml. Everything in the schemas of SCHEMAS is dropped before every test: give it a database,
project or cluster that has nothing else in it.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from contract.places import Place
from loader.config import load_config
from loader.core.dialect import quoted
from loader.load.edges import connected

SCHEMAS = ("web", "loader", "loader_staging", "loader_doctor")


def settings(kind: str) -> Path | None:
    """Return the file with the settings of an account of a kind, if there is one."""
    named = os.environ.get(f"LIVE_{kind.upper()}")
    return Path(named) if named else None


@contextmanager
def serve(kind: str, path: Path) -> Iterator[Place]:
    """Yield a real account as a place."""
    warehouse, _, staging = path.read_text(encoding="utf-8").partition("[staging]")

    def fresh() -> str:
        with connected(load_config(path)) as opened:
            for schema in SCHEMAS:
                with opened.session() as session:
                    session.execute(f"DROP SCHEMA IF EXISTS {quoted(opened.dialect, schema)} CASCADE")
        return warehouse.replace("[warehouse]", "").strip()

    def apart() -> str:  # parts of one test are not those of another
        return re.sub(r'(?m)^(url = "[^"]*)', rf"\1/{uuid4().hex}", staging.strip())

    yield Place(kind, fresh, staging=apart)
