"""Two loads of one source at once, and leases that outlive their holder."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flow import harness
from flow.harness import lines, track
from loader.config import Config, load_config
from loader.core.synthetic import Shape, files
from loader.ledger import leases

SHAPE = Shape(events=4_000, event_names=3, files=4, dirty=0.01, conflicts=0.01, duplicates=0.03, seed=5)
OURS = ("loaded_at", "load_id")
FEW = lines(*(track("Few", messageId=f"f{number}") for number in range(10)))


def filled(folder: Path, *, lock_wait: str) -> Config:
    config = harness.project(folder, load="workers = 1")
    settings = (folder / "loader.toml").read_text().replace('lock_wait = "20s"', f'lock_wait = "{lock_wait}"')
    (folder / "loader.toml").write_text(settings)
    for key, content in files(SHAPE):
        harness.put(config, f"{key}.gz", content)
    return load_config(folder / "loader.toml")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    config = filled(tmp_path_factory.mktemp("alone"), lock_wait="20s")
    harness.command(config, code=0)
    return found(config)


def found(config: Config) -> tuple[Any, ...]:
    return (
        harness.fingerprints(config, without=OURS),
        harness.rejects(config),
        harness.quarantine(config),
        harness.sums(config),
    )


@pytest.mark.parametrize("apart_seconds", [0.0, 0.3, 0.8])
def test_of_two_loads_at_once_one_waits_for_the_other(
    apart_seconds: float, alone: tuple[Any, ...], tmp_path: Path
) -> None:
    config = filled(tmp_path, lock_wait="60s")
    processes = [harness.start(config)]
    time.sleep(apart_seconds)
    processes.append(harness.start(config))
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert "nothing to load" in said[0][0] + said[1][0]
    assert found(config) == alone
    harness.assert_settled(config)


def test_a_load_that_does_not_wait_names_the_holder(alone: tuple[Any, ...], tmp_path: Path) -> None:
    config = filled(tmp_path, lock_wait="1s")
    first = harness.start(config)
    while not list(Path(config.staging.url).rglob("*.parquet")):
        assert first.poll() is None
        time.sleep(0.005)
    lease_seen = harness.start(config)
    answers = [process.communicate(timeout=300) for process in (first, lease_seen)]
    assert (first.returncode, "Traceback" in answers[0][1]) == (0, False), answers
    # A short load may be done within the second that the other one waits.
    assert lease_seen.returncode in (0, 1)
    if lease_seen.returncode == 1:
        assert str(first.pid) in answers[1][1]
        assert "Traceback" not in answers[1][1]
    assert found(config) == alone


def prepared(project: Callable[..., Config]) -> Config:
    config = project(load="workers = 1")
    settings = (config.base / "loader.toml").read_text().replace('"20s"', '"1s"')
    (config.base / "loader.toml").write_text(settings)
    harness.put(config, "first.jsonl", FEW[: len(FEW) // 2], packed=False)
    harness.run(config)
    harness.put(config, "few.jsonl", FEW, packed=False)
    return config


def hold(config: Config, holder: str, *, seconds: float) -> None:
    now = datetime.now(UTC)
    values = ["web", holder, "theirs", now, now + timedelta(seconds=seconds)]
    columns = "source, holder, token, acquired_at, expires_at"
    harness.change(config, f"INSERT INTO loader.leases ({columns}) VALUES (?, ?, ?, ?, ?)", values)


def dead() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


HOLDERS: list[tuple[str, Callable[[], str], float, int]] = [
    ("a dead process of this host", lambda: f"{socket.gethostname()} {dead()} 12345", 600, 0),
    ("a process of this host whose id was given away", lambda: f"{socket.gethostname()} {os.getpid()} 1", 600, 0),
    ("a living process of this host", leases.holder, 600, 1),
    ("a living process of this host, but expired", leases.holder, -1, 0),
    ("a process of another host", lambda: "elsewhere 77 12345", 600, 1),
    ("a process of another host, but expired", lambda: "elsewhere 77 12345", -1, 0),
]


@pytest.mark.parametrize(
    ("holder", "seconds", "code"), [each[1:] for each in HOLDERS], ids=[each[0] for each in HOLDERS]
)
def test_only_a_lease_that_may_be_alive_blocks(
    holder: Callable[[], str], seconds: float, code: int, project: Callable[..., Config]
) -> None:
    config = prepared(project)
    name = holder()
    hold(config, name, seconds=seconds)
    said = harness.command(config, code=code)
    assert len(harness.rows(config, "few")) == (5 if code else 10)
    if code:
        assert name.split()[1] in said
        assert name.split()[0] in said
        assert len(harness.query(config, "SELECT * FROM loader.leases WHERE token = 'theirs'")) == 1
    else:
        harness.assert_settled(config)
