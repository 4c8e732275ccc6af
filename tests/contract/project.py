"""A project whose audience is a table, one destination with its fake, and what a sync of it leaves there."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import duckdb

from contract.case import Case, case
from loader import sync
from loader.config import Config, parse
from loader.core.sync_results import SyncPlan, SyncResult
from loader.rehearsal.serving import Server, served

_TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}
_CRASHES = get_context("forkserver")


class Quiet:
    """Progress that nobody watches."""

    def step(self, name: str, *, total: int | None, unit: str) -> None: ...

    def advance(self, amount: int, *, events: int = 0) -> None: ...

    def note(self, text: str) -> None: ...


@dataclass(slots=True)
class Project:
    """A sync of a table `people`, and the fake that it goes to."""

    case: Case
    server: Server
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)  # of the sync
    tool: dict[str, Any] = field(default_factory=dict)  # of the destination

    def text(self) -> str:
        """Return loader.toml."""
        fake = import_module(f"loader.rehearsal.{self.case.slug}")
        own = {**fake.settings(self.server.url), **self.case.written.get("settings", {}), **self.tool}
        own = {name: value for name, value in own.items() if value is not None}
        sync = {
            "table": "main.people",
            "key": "id",
            "destination": "tool",
            "mode": self.case.mode.value,
            "fields": self.case.written["fields"],
            "prehashed": list(self.case.prehashed),
            "guard": {"allow_empty": True, "free_removals": 1_000_000},
            "job_wait": "20s",
            **self.settings,
        }
        sync = {name: value for name, value in sync.items() if value is not None}
        common = {"kind": self.case.slug, "private": True, "max_rows": 3, "patience": "5s", "timeout": "10s"}
        common |= {"rate": "100000/1s", "poll": "0s"}  # a fake has no reason to be waited for
        where = {"path": str(self.folder / "warehouse.duckdb")}
        return "\n".join(
            f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in each.items())
            for name, each in (
                ("warehouse", where),
                ("destinations.tool", {**common, **own}),
                ("syncs.vip", sync),
            )
        )

    def config(self) -> Config:
        return parse(self.text() + f'\n[staging]\nurl = "{self.folder}"', where="loader.toml", environment={})

    def audience(self, rows: Sequence[dict[str, Any]]) -> None:
        """Make the rows the whole audience."""
        columns = self.case.written["row"]
        spelled = ", ".join(f'"{name}" {_TYPES.get(type(value), "VARCHAR")}' for name, value in columns.items())
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as connection:
            connection.execute(f"CREATE OR REPLACE TABLE people ({spelled})")
            marks = ", ".join("?" * len(columns))
            if rows:
                values = [[row[name] for name in columns] for row in rows]
                connection.executemany(f"INSERT INTO people VALUES ({marks})", values)

    def people(self, numbers: Sequence[int], **changes: Any) -> list[dict[str, Any]]:
        return [self.case.row(number, **changes) for number in numbers]

    def sync(self, **options: Any) -> SyncResult:
        """Run the sync; return what the last run did."""
        wanted = {"resync": False, "approve": None, "retry": None, **options}
        return sync.sync(self.config(), "vip", progress=Quiet(), **wanted)[-1]

    def plan(self) -> SyncPlan:
        return sync.dry_run(self.config(), "vip", resync=False, retry=None, full=True, progress=Quiet())

    def process(self) -> BaseProcess:
        """Return a process that runs the sync, not yet started."""
        return _CRASHES.Process(target=_synced, args=(self.text(), str(self.folder)))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def change(self, sql: str) -> None:
        """Run a statement on the warehouse, as a person might."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as connection:
            connection.execute(sql)

    def states(self) -> dict[str, int]:
        return dict(self.query("SELECT state, count(*) FROM loader.sync_ledger GROUP BY state"))


def _synced(text: str, folder: str) -> None:
    config = parse(text + f'\n[staging]\nurl = "{folder}"', where="loader.toml", environment={})
    sync.sync(config, "vip", resync=False, approve=None, retry=None, progress=Quiet())


@contextmanager
def project(slug: str, folder: Path, **settings: Any) -> Iterator[Project]:
    """Yield a project in a folder; `settings` are of the sync."""
    fake = import_module(f"loader.rehearsal.{slug}")
    with served(fake.Fake()) as server:
        yield Project(case(slug), server, folder, settings)


def preload() -> None:
    """Start the server that processes to be killed are forked from, with what they need imported."""
    _CRASHES.set_forkserver_preload(["contract.project", "loader.sync.flow", "sqlglot"])


def killed(process: BaseProcess) -> bool:
    """Wait for the process; return whether it was killed."""
    process.join(300)
    return process.exitcode == -signal.SIGKILL


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{ " + ", ".join(f'"{name}" = {_toml(each)}' for name, each in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
