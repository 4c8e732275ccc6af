"""Many objects: `python tests/benchmarks/objects.py` lists 50,000 keys of a bucket, and loads 5,000 small files of it.

The bucket is the stand-in for Cloud Storage, over HTTP, in this process; what is measured runs in processes of its own.
"""

import sys
from gzip import compress
from pathlib import Path
from shutil import rmtree

from measure import Cost
from runs import ROOT, command

sys.path.insert(0, str(ROOT / "tests"))
from standins.gcs import serve  # the tests are no package of the benchmark

from loader.config import Access, load_config
from loader.core.synthetic import Shape, files
from loader.load.edges import connected
from loader.storage import connect

BUCKET, KEYS = "events", 50_000
SHAPE = Shape(events=50_000, event_names=20, files=5_000, duplicates=0.005, seed=1)
SETTINGS = """\
[warehouse]
path = "warehouse.duckdb"

[load]
workers = {workers}

[sources.web]
url = "gs://{bucket}/small"
access = {{ endpoint = "{endpoint}" }}
layout = "{{yyyy}}-{{mm}}-{{dd}}/{{hh}}/"
"""


def main() -> int:
    """Measure, and print a line for each thing measured."""
    work = ROOT / "build" / "bench" / "objects"
    rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with serve(BUCKET) as cloud:
        for number in range(KEYS):
            cloud.put(BUCKET, f"many/2026/{number:06}.jsonl.gz", b"x")
        for key, content in files(SHAPE):
            cloud.put(BUCKET, f"small/{key}.gz", compress(content, 1))
        _tell(
            f"listing of {KEYS:,} keys",
            command([sys.executable, __file__, "list", cloud.endpoint], work),
            KEYS,
            "keys",
        )
        for workers in (1, 2):
            (work / "warehouse.duckdb").unlink(missing_ok=True)
            settings = SETTINGS.format(bucket=BUCKET, endpoint=cloud.endpoint, workers=workers)
            (work / "loader.toml").write_text(settings, encoding="utf-8")
            words = [sys.executable, "-m", "loader", "--config", str(work / "loader.toml"), "load"]
            what = f"load of {SHAPE.files:,} files of {SHAPE.events // SHAPE.files} events, {workers} workers"
            _tell(what, command(words, work), SHAPE.files, "files")
            _check(work / "loader.toml")
            _tell("load of nothing new after it", command(words, work), SHAPE.files, "files")
    return 0


def _tell(what: str, cost: Cost, amount: int, unit: str) -> None:
    share = amount / cost.cpu_seconds
    peak = (cost.peak_pss_bytes or cost.peak_rss_bytes) / 1e6
    times = f"{cost.wall_seconds:6.1f} s wall, {cost.cpu_seconds:6.1f} s CPU"
    print(f"{what}: {times}, {share:,.0f} {unit} per CPU-second, peak {peak:,.0f} MB", flush=True)


def _check(path: Path) -> None:
    with connected(load_config(path), read_only=True) as opened, opened.session() as session:
        [found] = session.execute("SELECT sum(files), bool_and(conserved), count(*) FROM loader.loads")
    if found[:2] != (SHAPE.files, True):
        raise RuntimeError(f"expected {SHAPE.files:,} files, all conserved; found {found}")


def _listed(endpoint: str) -> int:
    store = connect(f"gs://{BUCKET}/many", access=Access(endpoint=endpoint), base=Path())
    return 0 if sum(1 for _ in store.list()) == KEYS else 1


if __name__ == "__main__":
    sys.exit(_listed(sys.argv[2]) if sys.argv[1:2] == ["list"] else main())
