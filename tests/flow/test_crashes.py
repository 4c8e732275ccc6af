"""Kill -9 at every step and at any instant, the real command; run again: the tables are those of an undisturbed load.

Most are forked from a process that has imported everything, so that what is killed is at work, and starts at once.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest
from contract.crashing import Loads, loads, said

from flow import harness
from loader.config import Config
from loader.core.synthetic import Shape, files

SHAPE = Shape(events=5_000, event_names=4, files=6, dirty=0.01, conflicts=0.01, duplicates=0.03, batches=0.02, seed=3)
LOAD = 'workers = 2\nmax_load_bytes = "3MB"\nshard_bytes = "2MB"'  # two loads, of two shards each
INSTANTS, KILLS = 24, 6  # at random, and how many of them one project suffers
PATIENCE_SECONDS = 300.0
TRIES = 5  # to see what is there for an instant


class Undisturbed:
    """What the tables and the ledger hold when nobody interferes, and how long that takes."""

    def __init__(self, folder: Path, loads: Loads) -> None:
        self.events = folder / "events"
        self.config = made(folder / "undisturbed", self.events)
        for key, content in files(SHAPE):
            path = self.events / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.seconds = loaded(self.config, loads)
        self.found = found(self.config)


def made(folder: Path, events: Path, *, engine: str = "local") -> Config:
    config = harness.project(folder, load=f'{LOAD}\nengine = "{engine}"')
    settings = (folder / "loader.toml").read_text().replace('url = "events"', f'url = "{events}"')
    (folder / "loader.toml").write_text(settings)
    return config


def found(config: Config) -> tuple[Any, ...]:
    with harness.opened(config):
        tables = harness.fingerprints(
            config, without=("loaded_at", "load_id")
        )  # a load's id is that of its warehouse too
        return tables, harness.rejects(config), harness.quarantine(config), harness.sums(config)


def loaded(config: Config, loads: Loads) -> float:
    """Load to the end; return how many seconds it took."""
    began = time.monotonic()
    loads.start(config)
    assert loads.ended() == 0, said(config)
    assert "Traceback" not in said(config)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def forks() -> Iterator[Loads]:
    with loads() as found:
        yield found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, forks: Loads) -> Undisturbed:
    return Undisturbed(tmp_path_factory.mktemp("crashes"), forks)


def killed_when(config: Config, loads: Loads, reached: Callable[[], bool]) -> bool:
    """Start a load and kill it when something is reached; return False if the load was done before."""
    process = loads.start(config)
    while psutil.pid_exists(process):
        if reached():
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(process, signal.SIGKILL)
            break
        time.sleep(0.001)
    code = loads.ended()
    assert code in (0, -signal.SIGKILL), said(config)
    return code != 0


def assert_as_undisturbed(config: Config, undisturbed: Undisturbed, loads: Loads) -> None:
    loaded(config, loads)
    assert harness.run(config) == []
    tables, *rest = found(config)
    assert tables.keys() == undisturbed.found[0].keys()
    assert [name for name in tables if tables[name] != undisturbed.found[0][name]] == []
    assert rest == list(undisturbed.found[1:])
    harness.assert_settled(config)
    assert not Path(f"{harness.database(config)}.wal").exists()


def test_killed_at_any_instant(undisturbed: Undisturbed, forks: Loads, tmp_path: Path) -> None:
    rng = Random(4)
    instants = [(turn + rng.random()) / INSTANTS for turn in range(INSTANTS)]  # as parts of the time that a load takes
    rng.shuffle(instants)
    projects, seconds = count(), undisturbed.seconds
    config, kills, killed = made(tmp_path / f"{next(projects)}", undisturbed.events), 0, 0
    for instant in instants:
        began = time.monotonic()
        unfinished = killed_when(config, forks, partial(_past, began + instant * seconds))
        killed += unfinished
        kills += 1
        if not unfinished:  # the machine has become quicker, or the load had little left to do
            seconds = min(seconds, max(time.monotonic() - began, seconds / 2))
        if not unfinished or kills == KILLS:
            assert_as_undisturbed(config, undisturbed, forks)
            config, kills = made(tmp_path / f"{next(projects)}", undisturbed.events), 0
    assert killed > INSTANTS // 3


def _past(instant: float) -> bool:
    return time.monotonic() > instant


def staged(config: Config, pattern: str) -> Callable[[], list[str]]:
    def seen() -> list[str]:  # by os.walk, which does not mind that folders vanish
        names = (name for _, folders, names in os.walk(config.staging.url) for name in (*folders, *names))
        return [name for name in names if fnmatchcase(name, pattern) and not name.startswith(".")]

    return seen


def first_seen(config: Config, pattern: str) -> Callable[[], bool]:
    seen = staged(config, pattern)
    return lambda: bool(seen())


def gone_again(config: Config, pattern: str) -> Callable[[], bool]:
    """Tell when there are fewer such objects than there were."""
    seen, most = staged(config, pattern), [0]

    def fewer() -> bool:
        now = len(seen())
        most[0] = max(most[0], now)
        return now < most[0]

    return fewer


def written_after(config: Config, pattern: str, times: int) -> Callable[[], bool]:
    """Tell when, with such an object there, the warehouse's log was written to so many times."""
    seen, log, sizes = staged(config, pattern), Path(f"{harness.database(config)}.wal"), set()

    def enough() -> bool:
        if not seen():
            return False
        if log.exists():
            sizes.add(log.stat().st_size)
        return len(sizes) > times

    return enough


BOUNDARIES: dict[str, Callable[[Config], Callable[[], bool]]] = {
    "the ledger is made": lambda config: lambda: Path(harness.database(config)).exists(),
    "the first part is there": lambda config: first_seen(config, "*.parquet"),
    "the first report is there": lambda config: first_seen(config, "first-*.json"),
    "a second round begins": lambda config: first_seen(config, "again"),
    "the manifest is there": lambda config: first_seen(config, "manifest.json"),
    "the tables are being made": lambda config: written_after(config, "manifest.json", 1),
    "the first table is merged": lambda config: written_after(config, "manifest.json", 3),
    "some tables are merged": lambda config: written_after(config, "manifest.json", 8),
    "the parts are being deleted": lambda config: gone_again(config, "*.parquet"),
    "the manifest is deleted": lambda config: gone_again(config, "manifest.json"),
}


def killed_at(boundary: str, undisturbed: Undisturbed, loads: Loads, folder: Path) -> Config:
    """Return a project whose load was killed there; again where the machine let it pass by unseen."""
    for turn in range(TRIES):
        config = made(folder / str(turn), undisturbed.events)
        if killed_when(config, loads, BOUNDARIES[boundary](config)) or boundary == "a second round begins":
            return config
    raise AssertionError(f"{boundary!r} was not seen in {TRIES} loads")


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_killed_at_a_boundary(boundary: str, undisturbed: Undisturbed, forks: Loads, tmp_path: Path) -> None:
    config = killed_at(boundary, undisturbed, forks, tmp_path)
    assert_as_undisturbed(config, undisturbed, forks)


@pytest.mark.parametrize(
    ("boundary", "what", "harm"),
    [
        ("the first report is there", "*.parquet", "gone"),
        ("the first report is there", "*.parquet", "cut short"),
        ("the first report is there", "first-*.json", "empty"),
        ("the first report is there", "first-*.json", "cut short"),
        ("the manifest is there", "*.parquet", "empty"),
        ("the manifest is there", "*.parquet", "cut short"),
    ],
)
def test_what_a_power_failure_took_is_made_again(
    boundary: str, what: str, harm: str, undisturbed: Undisturbed, forks: Loads, tmp_path: Path
) -> None:
    config = killed_at(boundary, undisturbed, forks, tmp_path)
    for file in (config.base / "staging").rglob(what):
        if harm == "gone":
            file.unlink()
        else:
            os.truncate(file, file.stat().st_size // 2 if harm == "cut short" else 0)
    assert_as_undisturbed(config, undisturbed, forks)


def workers(process: subprocess.Popen[str]) -> Iterator[psutil.Process]:
    """Yield the processes that the fork server has started."""
    for child in psutil.Process(process.pid).children():
        yield from child.children()


def test_a_killed_worker_ends_the_run_with_a_message_and_the_next_run_continues(
    undisturbed: Undisturbed, forks: Loads, tmp_path: Path
) -> None:
    config = made(tmp_path, undisturbed.events, engine="processes")
    process = harness.start(config)
    seen = staged(config, "*.parquet")
    while not seen():
        assert process.poll() is None
        time.sleep(0.001)
    [victim, _] = workers(process)
    victim.kill()
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert "a worker process died" in said
    assert "run again" in said
    assert "Traceback" not in said
    assert harness.query(config, "SELECT * FROM loader.leases") == []
    assert_as_undisturbed(config, undisturbed, forks)


def test_an_interrupted_load_says_so_and_the_next_run_continues(
    undisturbed: Undisturbed, forks: Loads, tmp_path: Path
) -> None:
    for turn in range(TRIES):
        config = made(tmp_path / str(turn), undisturbed.events)
        process = harness.start(config)
        seen = staged(config, "*.parquet")
        while process.poll() is None and not seen():
            time.sleep(0.001)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
        if process.returncode != 0:  # it was not done before
            break
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert_as_undisturbed(config, undisturbed, forks)
