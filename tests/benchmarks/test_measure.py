"""The measuring itself: no process that a command starts escapes it, however it is started."""

import sys
from pathlib import Path

import pytest
from measure import Cost, measure

BURN = "import time\nwhile time.process_time() < 0.25: pass"
POOL = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
with ProcessPoolExecutor(2, mp_context=get_context({method!r})) as pool:
    list(pool.map(exec, [{work!r}] * 2))
"""
HOLD = "import time; held = bytearray(100_000_000); time.sleep(1)"
CHILD = "import subprocess, sys; subprocess.{start}([sys.executable, '-c', {work!r}])"


def cost_of(script: str, folder: Path) -> Cost:
    """Return what a Python script costs."""
    return measure([sys.executable, "-c", script], folder=folder, log=folder / "log")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_cpu_of_a_process_pool_counts(method: str, tmp_path: Path) -> None:
    cost = cost_of(POOL.format(method=method, work=BURN), tmp_path)
    assert cost.exit_code == 0, (tmp_path / "log").read_text()
    assert 0.5 <= cost.cpu_seconds < 5


def test_the_cpu_of_grandchildren_counts(tmp_path: Path) -> None:
    grandchild = CHILD.format(start="run", work=BURN)
    assert cost_of(CHILD.format(start="run", work=grandchild), tmp_path).cpu_seconds >= 0.25


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets us adopt orphans")
def test_the_cpu_of_a_process_that_outlives_its_parent_counts(tmp_path: Path) -> None:
    assert cost_of(CHILD.format(start="Popen", work=BURN), tmp_path).cpu_seconds >= 0.25


def test_memory_is_the_sum_over_the_tree(tmp_path: Path) -> None:
    child = CHILD.format(start="Popen", work=HOLD)
    cost = cost_of(f"{child}\n{CHILD.format(start='run', work=CHILD.format(start='run', work=HOLD))}", tmp_path)
    assert 200e6 < cost.peak_rss_bytes < 400e6
    assert cost.peak_pss_bytes <= cost.peak_rss_bytes
    assert sys.platform != "linux" or cost.peak_pss_bytes > 200e6


def test_wall_time_includes_waiting_and_cpu_time_does_not(tmp_path: Path) -> None:
    cost = cost_of("import time; time.sleep(1)", tmp_path)
    assert cost.wall_seconds >= 1 > cost.cpu_seconds


def test_a_command_that_fails_is_measured_and_says_so(tmp_path: Path) -> None:
    cost = cost_of("print('so it is'); raise SystemExit(3)", tmp_path)
    assert cost.exit_code == 3
    assert (tmp_path / "log").read_text() == "so it is\n"


def test_a_command_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no-such-command could not be measured"):
        measure(["no-such-command"], folder=tmp_path, log=tmp_path / "log")
