"""Many objects: `python tests/benchmarks/objects.py` lists 50,000 keys of a bucket, and loads 5,000 small files of it.

The bucket is the stand-in for Cloud Storage, over HTTP, in this process; with the word `s3` it is in SeaweedFS, a real
object store, in a process of its own. What is measured runs in processes of its own, too.
"""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from gzip import compress
from pathlib import Path
from shutil import rmtree

from measure import Cost
from runs import ROOT, command

sys.path.insert(0, str(ROOT / "tests"))
from standins.gcs import serve as google  # the tests are no package of the benchmark
from standins.seaweedfs import KEY, REGION, SECRET
from standins.seaweedfs import serve as seaweedfs

from loader.config import Access, Secret, load_config
from loader.core.objects import Store
from loader.core.synthetic import Shape, files
from loader.load.edges import connected
from loader.storage import connect

BUCKET, KEYS = "events", 50_000
WHO = f', region = "{REGION}", access_key_id = "{KEY}", secret_access_key = "{SECRET}"'
Put = Callable[[str, bytes], object]
SHAPE = Shape(events=50_000, event_names=20, files=5_000, duplicates=0.005, seed=1)
SETTINGS = """\
[warehouse]
path = "warehouse.duckdb"

[load]
workers = {workers}

[sources.web]
url = "{kind}://{bucket}/small"
access = {{ endpoint = "{endpoint}"{who} }}
layout = "{{yyyy}}-{{mm}}-{{dd}}/{{hh}}/"
"""


def main(kind: str) -> int:
    """Measure, and print a line for each thing measured."""
    work = ROOT / "build" / "bench" / "objects"
    rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with _bucket(kind) as (endpoint, put), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(f"many/2026/{number:06}.jsonl.gz", b"x"), range(KEYS)))
        list(pool.map(lambda each: put(f"small/{each[0]}.gz", compress(each[1], 1)), files(SHAPE)))
        listing = [sys.executable, __file__, kind, "list", endpoint]
        _tell(f"listing of {KEYS:,} keys", command(listing, work), KEYS, "keys")
        for workers in (1, 2):
            (work / "warehouse.duckdb").unlink(missing_ok=True)
            who = WHO if kind == "s3" else ""
            settings = SETTINGS.format(kind=kind, bucket=BUCKET, endpoint=endpoint, who=who, workers=workers)
            (work / "loader.toml").write_text(settings, encoding="utf-8")
            words = [sys.executable, "-m", "loader", "--config", str(work / "loader.toml"), "load"]
            what = f"load of {SHAPE.files:,} files of {SHAPE.events // SHAPE.files} events, {workers} workers"
            _tell(what, command(words, work), SHAPE.files, "files")
            _check(work / "loader.toml")
            _tell("load of nothing new after it", command(words, work), SHAPE.files, "files")
    return 0


@contextmanager
def _bucket(kind: str) -> Iterator[tuple[str, Put]]:
    """Yield the address of an empty bucket, and how to put an object there."""
    if kind == "gs":
        with google(BUCKET) as cloud:
            yield cloud.endpoint, lambda key, data: cloud.put(BUCKET, key, data)
        return
    with seaweedfs(BUCKET) as server:
        yield server.endpoint, _store(kind, server.endpoint, "").write


def _store(kind: str, endpoint: str, prefix: str) -> Store:
    key, secret = Secret(KEY), Secret(SECRET)
    whose = Access(endpoint=endpoint, region=REGION, access_key_id=key, secret_access_key=secret)
    access = whose if kind == "s3" else Access(endpoint=endpoint)
    return connect(f"{kind}://{BUCKET}/{prefix}", access=access, base=Path())


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


def _listed(kind: str, endpoint: str) -> int:
    return 0 if sum(1 for _ in _store(kind, endpoint, "many").list()) == KEYS else 1


if __name__ == "__main__":
    wanted = "s3" if "s3" in sys.argv[1:] else "gs"
    sys.exit(_listed(wanted, sys.argv[3]) if sys.argv[2:3] == ["list"] else main(wanted))
