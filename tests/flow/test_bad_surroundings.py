"""A full disk, a locked warehouse, missing permissions: one line that says what to do, and the next run continues.

All with the real command. Full disks are small tmpfs mounts, which only root may make; elsewhere a limit on the
size of files stands in for them.
"""

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flow import harness
from flow.harness import (
    database,
    lines,
    track,
)
from loader.config import Config, load_config
from loader.core.synthetic import Shape, files

SHAPE = Shape(events=3_000, event_names=3, files=3, duplicates=0)
_LIBC = ctypes.CDLL(None)
_DROP, _OVERRIDES = 24, (1, 2)  # PR_CAPBSET_DROP of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (linux/prctl.h)
FEW = lines(*(track("Few", messageId=f"f{number}") for number in range(10)))


def configured(config: Config, text: str) -> Config:
    """Return the configuration with more settings."""
    path = config.base / "loader.toml"
    path.write_text(f"{path.read_text()}\n{text}\n")
    return load_config(path)


def filled(config: Config) -> Config:
    for key, content in files(SHAPE):
        harness.put(config, key, content, packed=False)
    return config


def assert_complete(config: Config, events: int = SHAPE.events) -> None:
    """Run once more, and assert that everything is there."""
    harness.command(config, code=0)
    assert harness.sums(config)["events"] == harness.sums(config)["rows"] == events
    harness.assert_settled(config)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk; the limit on file sizes stands in for it")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def enlarge(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", folder], check=True)


@pytest.mark.parametrize("size", ["64k", "300k"])
def test_no_space_for_the_staging(size: str, project: Callable[..., Config]) -> None:
    config = filled(configured(project(), '[staging]\nurl = "small/staging"'))
    with small_disk(config.base / "small", size):
        said = harness.command(config, code=1)
        assert "free some room" in said
        enlarge(config.base / "small")
        assert_complete(config)


@pytest.mark.parametrize("size", ["64k", "1m", "4m"])
def test_no_space_for_the_warehouse(size: str, project: Callable[..., Config]) -> None:
    config = filled(configured(project(), '[warehouse]\npath = "small/warehouse.duckdb"'))
    with small_disk(config.base / "small", size):
        said = harness.command(config, code=1)
        assert "space" in said
        enlarge(config.base / "small")
        assert_complete(config)


@pytest.mark.parametrize("limit", [1 << 14, 1 << 18, 1 << 20])
def test_no_file_may_grow(limit: int, project: Callable[..., Config]) -> None:
    config = filled(project())
    harness.command(config, code=1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert_complete(config)


@pytest.mark.parametrize("workers", [1, 2])
def test_little_memory_of_the_warehouse_is_told(workers: int, project: Callable[..., Config]) -> None:
    config = filled(configured(project(load=f"workers = {workers}"), '[warehouse]\nmemory = "1MB"'))
    said = harness.command(config)
    assert said == "" or "memory" in said
    text = (config.base / "loader.toml").read_text()
    (config.base / "loader.toml").write_text(text.replace('"1MB"', '"256MB"'))
    assert_complete(load_config(config.base / "loader.toml"))


HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


def test_a_warehouse_that_another_process_holds_is_named(project: Callable[..., Config]) -> None:
    config = filled(project())
    path = config.base / "loader.toml"
    path.write_text(path.read_text().replace('"20s"', '"1s"'))
    command = [sys.executable, "-c", HOLD, database(config)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        said = harness.command(config, code=1)
        assert str(holder.pid) in said
        assert "warehouse.duckdb" in said
        holder.communicate("")
    assert_complete(config)


def test_a_warehouse_that_is_let_go_of_in_time_is_waited_for(project: Callable[..., Config]) -> None:
    config = filled(project())
    hold = HOLD.replace("sys.stdin.read()", "import time; time.sleep(2)")
    with subprocess.Popen([sys.executable, "-c", hold, database(config)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        assert_complete(config)  # a load that did not wait would end with an error


@pytest.mark.parametrize("begin", [b"this is no database\n", b"SQLite format 3\0"])
def test_a_warehouse_that_is_no_database_is_told(begin: bytes, project: Callable[..., Config]) -> None:
    config = filled(project())
    Path(database(config)).write_bytes(begin.ljust(20_000, b"\0"))
    said = harness.command(config, code=1)
    assert "warehouse.duckdb is no DuckDB file; correct `path` in [warehouse]" in said
    Path(database(config)).unlink()
    assert_complete(config)


@pytest.fixture
def ours(project: Callable[..., Config]) -> Config:
    """Return a project with a file that anybody may read, and one that nobody should."""
    config = project()
    harness.put(config, "a.jsonl", FEW, packed=False)
    harness.put(config, "b.jsonl", lines(track("Secret", messageId="s1")), packed=False)
    return config


def without_privilege() -> None:
    """Let the permissions of files hold for root too; to be called in the process to be."""
    if os.geteuid() == 0:
        for capability in _OVERRIDES:
            assert _LIBC.prctl(_DROP, capability, 0, 0, 0) == 0


@contextmanager
def forbidden(path: Path, mode: int = 0) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)


def test_a_file_that_may_not_be_read_is_left_out_until_it_may(ours: Config) -> None:
    secret = Path(ours.sources["web"].url) / harness.HOUR / "b.jsonl"
    with forbidden(secret):
        for _ in range(2):
            process = harness.start(ours, preexec_fn=without_privilege)
            told = "".join(process.communicate())
            assert process.returncode == 1
            assert "b.jsonl: permission denied" in told
            assert "Traceback" not in told
            assert set(harness.tables(ours)) == {"few", "tracks"}
    harness.command(ours, code=0)
    assert set(harness.tables(ours)) == {"few", "secret", "tracks"}
    harness.assert_settled(ours)


FORBIDDEN: dict[str, tuple[Callable[[Config], Path], int]] = {
    "the source's folder": (lambda config: Path(config.sources["web"].url), 0),
    "a folder of the source": (lambda config: Path(config.sources["web"].url) / harness.HOUR, 0),
    "the staging": (lambda config: Path(config.staging.url), 0o500),
    "the warehouse": (lambda config: Path(database(config)), 0),
    "the warehouse, for writing": (lambda config: Path(database(config)), 0o400),
    "the project's folder": (lambda config: config.base, 0o500),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_place_that_may_not_be_used_is_named(what: str, ours: Config) -> None:
    locate, mode = FORBIDDEN[what]
    place = locate(ours)
    if what == "the staging":
        place.mkdir()
    if "warehouse" in what:
        harness.change(ours, "SELECT 1")
    with forbidden(place, mode):
        said = harness.command(ours, code=1, preexec_fn=without_privilege)
        assert "permission denied" in said.lower()
        assert str(place) in said
    assert_complete(ours, 11)


def test_a_staging_that_is_a_file_is_named(project: Callable[..., Config]) -> None:
    config = filled(project())
    Path(config.staging.url).write_text("a file")
    said = harness.command(config, code=1)
    assert config.staging.url in said
    Path(config.staging.url).unlink()
    assert_complete(config)


def test_a_source_that_is_missing_stops_no_other(project: Callable[..., Config]) -> None:
    config = filled(configured(project(), '[sources.app]\nurl = "missing"'))
    said = harness.command(config, code=1)
    assert str(config.base / "missing") in said
    assert harness.sums(config)["rows"] == SHAPE.events
    harness.assert_settled(config)
