"""Two workers with different disks share a load: one converts, the other merges, and nothing is missing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.running import environment
from storage import buckets
from storage.buckets import Service

from flow import harness
from loader.config import Config, load_config
from loader.core.synthetic import Shape, files

SHAPE = Shape(events=2_000, event_names=4, files=4, dirty=0.01, conflicts=0.01, duplicates=0.03)
HALF = """
import sys
from pathlib import Path
from flow.harness import Silent
from loader.config import load_config
from loader.core.results import Window
from loader.load import convert, merge
config, half = load_config(Path(sys.argv[1])), sys.argv[2]
if half == "convert":
    found = convert(config, "web", window=Window(), replay=False, max_rejects=1.0, progress=Silent())
else:
    found = merge(config, "web", window=Window(), reload=False, max_rejects=None, progress=Silent())
print(" ".join(stage.state for stage in found))
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with buckets.running(buckets.KINDS[0], tmp_path_factory.mktemp("keys"), "staging") as found:
        for key, content in files(SHAPE):
            found.put(f"disks/{key}", content)
        yield found


def worker(service: Service, disk: Path, warehouse: Path) -> Config:
    """Make the settings of a worker: the bucket and the warehouse are shared, its folders are its own."""
    disk.mkdir()
    access = f"access = {service.toml(endpoint=None)}"
    (disk / "loader.toml").write_text(
        f'[warehouse]\npath = "{warehouse}"\n[load]\nworkers = 1\n'
        f'[staging]\nurl = "{service.kind}://staging/disks"\n{access}\n'
        f'[sources.web]\nurl = "{service.kind}://{buckets.NAME}/disks"\nlayout = "{harness.LAYOUT}"\n{access}\n'
    )
    return load_config(disk / "loader.toml")


def run(config: Config, half: str) -> str:
    """Run a half of the load in a process that has nothing but its own disk."""
    (config.base / "tmp").mkdir()
    where = {**environment(), "TMPDIR": str(config.base / "tmp"), "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", HALF, str(config.base / "loader.toml"), half]
    done = subprocess.run(words, cwd=config.base, env=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_one_converts_and_the_other_merges(service: Service, tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    first = worker(service, tmp_path / "first", warehouse)
    second = worker(service, tmp_path / "second", warehouse)
    assert run(first, "convert") == "shredded"
    for path in sorted(first.base.rglob("*"), reverse=True):  # the machine is gone
        path.rmdir() if path.is_dir() else path.unlink()
    assert run(second, "merge") == "done"
    alone = harness.project(tmp_path / "alone")
    for key, lines in files(SHAPE):
        harness.put(alone, key, lines)
    harness.run(alone)
    ours = ("loaded_at", "load_id")
    assert harness.fingerprints(second, without=ours) == harness.fingerprints(alone, without=ours)
