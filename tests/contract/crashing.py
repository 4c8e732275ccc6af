"""Loads that are killed at a moment of their work, as processes forked from one that has imported everything.

What is forked runs the real command, and starting it costs milliseconds instead of a second. A profile function sees it
enter and leave functions, and sends SIGKILL to it there: nothing of the loader is replaced, and nothing is closed.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from cli.running import environment

from loader.config import Config

TESTS = Path(__file__).parents[1]
# Snowflake's connector has threads from its import on, which no fork would have; sqlalchemy is most of what it imports.
_IMPORTED = (
    *("loader.cli", "loader.load.flow", "loader.load.shredding", "pyarrow.parquet", "duckdb", "obstore"),
    *("psycopg", "redshift_connector", "google.cloud.bigquery", "sqlalchemy.engine"),
)
_PATIENCE_SECONDS = 240


class Moment(NamedTuple):
    """When a load is killed: as a function is left for the n-th time, or entered."""

    what: str
    at: str  # module.function; or only `execute`, of a session of whichever warehouse
    turn: int = 1
    entered: bool = False
    sql: str = ""  # a regular expression for the statement that `execute` was given


@dataclass(frozen=True)
class Loads:
    """The process from which loads are forked."""

    process: subprocess.Popen[str]

    def run(self, config: Config, moment: Moment) -> int:
        """Load, killed at the moment; return the exit code, negative for a signal."""
        self.start(config, moment)
        return self.ended()

    def start(self, config: Config, moment: Moment | None = None) -> int:
        """Begin to load, killed at the moment if there is one; return the process's id. `ended` is to follow."""
        assert self.process.stdin
        assert self.process.stdout
        asked = {"folder": str(config.base), "environment": environment(), "moment": moment}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def ended(self) -> int:
        """Wait for the load; return its exit code."""
        assert self.process.stdout
        return int(self.process.stdout.readline())


@contextmanager
def loads() -> Iterator[Loads]:
    """Yield the process; it ends with the block, or with this process."""
    told = {**environment(), "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    command = [sys.executable, "-W", "ignore", "-m", "contract.crashing"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=told) as process:
        yield Loads(process)


def said(config: Config) -> str:
    """Return what the loads said."""
    return (config.base / "said.txt").read_text()


def _serve() -> None:
    for name in _IMPORTED:
        import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        forked = os.fork()
        if not forked:
            _load(asked["folder"], asked["environment"], asked["moment"] and Moment(*asked["moment"]))
        print(forked, flush=True)
        _, status = os.waitpid(forked, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _load(folder: str, variables: dict[str, str], moment: Moment | None) -> None:
    from loader.cli import main

    os.environ.update(variables)
    os.chdir(folder)
    with open("said.txt", "ab") as heard:
        for stream in (1, 2):
            os.dup2(heard.fileno(), stream)
    signal.alarm(_PATIENCE_SECONDS)  # a load that hangs ends by another signal than it should
    if moment:
        killing = _killing(moment)
        threading.setprofile(killing)
        sys.setprofile(killing)
    code = main(["load"])
    sys.setprofile(None)
    sys.stdout.flush()
    os._exit(code)


def _killing(moment: Moment) -> Callable[[FrameType, str, Any], None]:
    module, _, name = moment.at.rpartition(".")
    wanted, left = "call" if moment.entered else "return", moment.turn

    def seen(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left
        if event != wanted or frame.f_code.co_name != name:
            return
        where = frame.f_globals["__name__"]
        if where == module or (not module and where.startswith("loader.warehouses.")):
            if moment.sql and not re.search(moment.sql, str(frame.f_locals.get("sql")), re.IGNORECASE):
                return
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    return seen


if __name__ == "__main__":
    _serve()
