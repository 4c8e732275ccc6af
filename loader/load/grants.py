"""Does the warehouse let us do all that a load does? The part of `doctor` that needs a connection."""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from loader.config import Config, DuckDB, Duration
from loader.core.results import Check
from loader.core.warehouse import Warehouse
from loader.errors import LoaderError
from loader.ledger import tables
from loader.load.edges import connected
from loader.load.probing import SCRATCH, Probe, Step, probe, tried
from loader.storage import connect

_PATIENCE = Duration(seconds=3)  # with a warehouse that another process holds


def checks(config: Config) -> Iterator[Check]:
    """Yield what was tried in the warehouse, up to the first step that fails."""
    patient = replace(config, load=replace(config.load, lock_wait=_PATIENCE))
    settings = config.warehouse
    if isinstance(settings, DuckDB):
        yield from _file(patient, Path(settings.path))
        return
    try:
        yield from _steps(patient, f"{settings.kind} answers", let="grant this user what it needs for it")
    except LoaderError as error:
        yield Check("warehouse: open", False, str(error), "correct [warehouse], and see what the message says")


def _file(config: Config, path: Path) -> Iterator[Check]:
    """Try DuckDB; where the file is not there yet, one beside it that is removed after."""
    absent = not path.exists()
    tried_at = path.with_name(f".{path.name}-doctor-{uuid.uuid4().hex[:8]}") if absent else path
    changed = replace(config, warehouse=replace(config.warehouse, path=str(tried_at)))
    remedy = f"let this user read and write {path} and its folder; where another process holds it, wait or end that"
    what = "is not there yet, the first load makes it; tried with a file beside it" if absent else "is open"
    try:
        yield from _steps(changed, f"{path} {what}", let=f"let this user do it in {path}")
    except LoaderError as error:
        yield Check("warehouse: open", False, str(error).replace(str(tried_at), str(path)), remedy)
    finally:
        if absent:
            with suppress(OSError):  # it was never made, or its folder cannot be written
                for suffix in ("", ".wal"):
                    Path(f"{tried_at}{suffix}").unlink(missing_ok=True)


def _steps(config: Config, what: str, *, let: str) -> Iterator[Check]:
    staging = connect(config.staging.url, access=config.staging.access, base=config.base)
    with connected(config, staging=staging) as opened:
        yield Check("warehouse: open", True, what)
        with probe(opened, staging) as trial:
            yield from tried(_warehouse_steps(opened, trial, f"{let}, and see what the message says"))


def _warehouse_steps(opened: Warehouse, trial: Probe, let: str) -> list[Step]:
    def ledger() -> str:
        tables.prepare(opened)
        with opened.session() as session:
            return f"{session.execute('SELECT count(*) FROM loader.loads')[0][0]} loads in its history"

    return [
        ("warehouse: ledger", ledger, let),
        ("warehouse: create", trial.create, let),
        ("warehouse: alter", trial.alter, let),
        ("warehouse: load a Parquet part", trial.load, f"{let}; the warehouse must be able to read staging"),
        ("warehouse: merge", trial.merge, let),
        ("warehouse: drop", trial.drop, f"{let}; the schema {SCRATCH} can be dropped by hand"),
    ]
