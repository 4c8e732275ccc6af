"""The benchmark of syncs: `python tests/benchmarks/syncs.py`. Everything is written below --work.

Each measurement is a process of its own, so that its CPU and its peak memory are its own; the fakes are others.
"""

import json
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from typing import Any

import duckdb

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))


from loader import sync  # noqa: E402
from loader.config import Config, load_config  # noqa: E402
from loader.core.audience import Member, Op, Refused  # noqa: E402
from loader.core.batches import packed  # noqa: E402
from loader.core.mapping import encoded, mapped  # noqa: E402
from loader.rehearsal.serving import served  # noqa: E402


class Quiet:
    """Progress that nobody watches."""

    def step(self, name: str, *, total: int | None, unit: str) -> None: ...

    def advance(self, amount: int, *, events: int = 0) -> None: ...

    def note(self, text: str) -> None: ...


FIELDS = {"email": "email", "first_name": "first_name", "plan": "plan", "visits": "visits", "ltv": "ltv"}
PEOPLE = """
CREATE OR REPLACE TABLE people AS SELECT 'user' || i AS user_id, 'Person' || i || '@example.com' AS email,
  'Ana' || i % 1000 AS first_name, i % 1000 AS visits, (i % 777) / 7.0 AS ltv,
  CASE WHEN i % 3 = 0 THEN 'pro' ELSE 'free' END AS plan FROM range({rows}) AS numbers(i)"""
CHANGED = "UPDATE people SET visits = visits + 1 WHERE hash(user_id) % 100 = 0"


def project(folder: Path, kind: str, tool: Mapping[str, Any], **settings: str) -> Config:
    """Return a project that syncs the table `people` to a destination."""
    fields = {**({"userId": "user_id"} if kind == "segment" else {}), **FIELDS}
    lines = ["[warehouse]", 'path = "warehouse.duckdb"', 'memory = "128MB"', "[destinations.tool]", f'kind = "{kind}"']
    lines += [f"{name} = {json.dumps(value)}" for name, value in tool.items()]
    lines += ["private = true", "[syncs.all]", 'table = "main.people"', 'key = "user_id"', 'destination = "tool"']
    lines += [f'mode = "{"upsert" if kind == "segment" else "mirror"}"']
    lines += [f"{name} = {value}" for name, value in settings.items()]
    lines += ["[syncs.all.fields]", *(f'{name} = "{column}"' for name, column in fields.items())]
    (folder / "loader.toml").write_text("\n".join(lines))
    return load_config(folder / "loader.toml")


def change(folder: Path, sql: str) -> None:
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute(sql)


def serve(kind: str) -> None:
    """Serve a fake until standard input ends."""
    with served(import_module(f"loader.rehearsal.{kind}").Fake()) as server:
        print(server.url, flush=True)
        sys.stdin.read()
        print(json.dumps({"requests": server.arrived, "held": len(server.fake.held())}), flush=True)


def run(folder: Path, _: int) -> dict[str, Any]:
    """Run the sync."""
    config = load_config(folder / "loader.toml")
    return measured(lambda: sync.sync(config, "all", resync=False, approve=None, retry=None, progress=Quiet())[-1])


def plan(folder: Path, _: int) -> dict[str, Any]:
    """Only plan it."""
    config = load_config(folder / "loader.toml")
    return measured(lambda: sync.dry_run(config, "all", resync=False, retry=None, full=False, progress=Quiet()))


def encode(folder: Path, rows: int) -> dict[str, Any]:
    """Map, encode and pack rows, without a warehouse and without a tool."""
    endpoint = load_config(folder / "loader.toml").destinations["tool"]
    tool, own = endpoint.destination, endpoint.own
    names = ["user_id", *FIELDS.values()]
    fields = {**({"userId": "user_id"} if endpoint.common.kind == "segment" else {}), **FIELDS}
    make = mapped(tool, fields, names)
    values = [(f"user{i}", f"person{i}@example.com", f"Ana{i % 1000}", "pro", i % 1000, i / 7) for i in range(rows)]

    def members() -> Any:
        for row in values:
            found = make(row)
            assert not isinstance(found, Refused)
            yield encoded(tool, own, Member(row[0], Op.ADD, found, f"{row[0]:0>32}"))

    def packing() -> int:
        return sum(len(part) for part in packed(members(), tool.limits, lambda _: "", tool.identity))

    return measured(packing)


def measured(work: Callable[[], object]) -> dict[str, Any]:
    began, before = time.monotonic(), time.process_time()
    found = work()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cost = {
        "wall_s": time.monotonic() - began,
        "cpu_s": time.process_time() - before,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    return {**{name: round(value, 2) for name, value in cost.items()}, "found": str(found)[:400]}


PARTS = {"run": run, "plan": plan, "encode": encode}


def child(part: str, folder: Path, rows: int = 0) -> dict[str, Any]:
    """Measure a part in a process of its own."""
    command = [sys.executable, __file__, "--part", part, "--work", str(folder), "--rows", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def delivery(work: Path, kind: str, rows: int) -> None:
    """Send rows to a fake, then again, then with 1 % changed."""
    command = [sys.executable, __file__, "--part", "serve", "--kind", kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as fake:
        assert fake.stdin is not None
        assert fake.stdout is not None
        tool = import_module(f"loader.rehearsal.{kind}").settings(fake.stdout.readline().strip())
        project(work, kind, tool)
        told(f"{kind}: encode and pack {rows:,} rows", child("encode", work, rows), rows)
        change(work, PEOPLE.format(rows=rows))
        told(f"{kind}: first run, {rows:,} rows", child("run", work), rows)
        told(f"{kind}: second run, nothing to send", child("run", work), 0)
        change(work, CHANGED)
        told(f"{kind}: third run, 1 % changed", child("run", work), rows // 100)
        print(f"  the fake says {fake.communicate('')[0].strip()}")


def planning(work: Path, rows: int) -> None:
    """Plan an audience of which 1 % has changed since all of it was sent."""
    project(work, "webhook", {"url": "https://example.com"})
    change(work, PEOPLE.format(rows=rows))
    told(f"plan of a first run, {rows:,} rows", child("plan", work), rows)
    with duckdb.connect(str(work / "warehouse.duckdb")) as connection:  # as if the tool had confirmed every row
        [(run_id,)] = connection.execute("SELECT run_id FROM loader.sync_runs").fetchall()
        connection.execute(
            "INSERT INTO loader.sync_ledger (sync, row_key, state, op, row_hash, idents, version, attempts, sent_at) "
            "SELECT 'all', row_key, 'confirmed', 'add', row_hash, '{}', version, 0, now() "
            f"FROM loader.sync_plan_{run_id}"
        )
        connection.execute(CHANGED)
    told(f"plan of {rows:,} rows, 1 % changed", child("plan", work), rows)


def told(what: str, found: Mapping[str, Any], rows: int) -> None:
    rates = f", {rows / found['wall_s']:,.0f} rows/s, {rows / found['cpu_s']:,.0f} rows per CPU-second" if rows else ""
    print(f"{what}: {found['wall_s']} s, CPU {found['cpu_s']} s, peak {found['peak_mb']:.0f} MB{rates}", flush=True)


def main() -> None:
    parser = ArgumentParser(description="Measure syncs against the shipped fakes.")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench-syncs")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--planned", type=int, default=1_000_000)
    parser.add_argument("--part", help="one measurement, as its own process does it")
    parser.add_argument("--kind")
    parser.add_argument("--only", nargs="+", choices=("webhook", "segment", "planning"))
    options = parser.parse_args()
    if options.part == "serve":
        serve(options.kind)
        return
    if options.part:
        print(json.dumps(PARTS[options.part](options.work, options.rows)))
        return
    for kind in options.only or ("webhook", "segment", "planning"):
        work = options.work / kind
        rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        if kind == "planning":
            planning(work, options.planned)
        else:
            delivery(work, kind, options.rows)


if __name__ == "__main__":
    main()
