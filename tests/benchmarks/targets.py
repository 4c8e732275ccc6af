"""The same load into other warehouses: this loader's own CPU beside that of DuckDB's path.

A server's CPU is not the loader's: DuckDB runs in the loader's process, the others do not. What they were asked is in
the ledger: statements, and the seconds that they took to answer.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from statistics import median

import msgspec
from corpus import Corpus
from measure import Cost
from runs import ROOT, command

sys.path.insert(0, str(ROOT / "tests"))
from contract import places, reading  # the tests are no package of the benchmark

from loader.config import load_config

SETTINGS = """\
[warehouse]
{warehouse}

[staging]
{staging}

[load]
workers = {workers}

[sources.web]
url = "{events}"
schema = "web"
layout = "{{yyyy}}-{{mm}}-{{dd}}/{{hh}}/"
"""
_ASKED = "SELECT sum(statements), sum(server_seconds), count(*) FROM loader.load_tables AS t WHERE error IS NULL"


class Loaded(msgspec.Struct, frozen=True):
    """What the loads of one corpus into one kind of warehouse cost."""

    kind: str
    costs: list[Cost]
    rows: int
    tables: int
    statements: int
    server_seconds: float


def loaded(kind: str, made: Corpus, work: Path, *, workers: int, runs: int) -> Loaded:
    """Load a corpus so many times, each into an empty warehouse. RuntimeError if a row is missing."""
    costs: list[Cost] = []
    with places.serve(kind) as place:
        os.environ.update(place.environment)
        for turn in range(runs):
            print(f"{kind}, {made.lines:,} events, run {turn + 1}", file=sys.stderr, flush=True)
            folder = work / "runs" / f"into-{kind}"
            rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            path = folder / "loader.toml"
            staging = place.staging() or f'url = "{folder / "staging"}"'
            given = {"warehouse": place.fresh(), "staging": staging, "events": made.events}
            path.write_text(SETTINGS.format(workers=workers, **given), encoding="utf-8")
            words = [sys.executable, "-m", "loader", "--config", str(path), "load"]
            costs.append(command(words, folder))
            found = _found(path)
            if found.rows != made.unique_ids:
                raise RuntimeError(f"{kind}: expected {made.unique_ids:,} rows, found {found.rows:,}")
    return msgspec.structs.replace(found, kind=kind, costs=costs)


def table(found: Sequence[Loaded]) -> str:
    """Return the figures as lines: medians, and CPU beside that of DuckDB's path."""
    own = {each.kind: median(cost.cpu_seconds for cost in each.costs) for each in found}
    lines = ["warehouse   own CPU s   × DuckDB   wall s   peak MB   statements   per table   server s"]
    for each in found:
        times = own[each.kind] / own["duckdb"] if "duckdb" in own else float("nan")
        peak = median(cost.peak_pss_bytes or cost.peak_rss_bytes for cost in each.costs) / 1e6
        wall = median(cost.wall_seconds for cost in each.costs)
        share = each.statements / max(each.tables, 1)
        lines.append(
            f"{each.kind:<11} {own[each.kind]:>9.1f} {times:>10.2f} {wall:>8.1f} {peak:>9.0f} {each.statements:>12,} "
            f"{share:>11.1f} {each.server_seconds:>10.1f}"
        )
    return "\n".join(lines)


def _found(path: Path) -> Loaded:
    config = load_config(path)
    [(statements, seconds, tables)] = reading.query(config, _ASKED)
    [(rows,)] = reading.query(config, "SELECT sum(events - duplicates - filtered - quarantined) FROM loader.loads AS t")
    return Loaded("", [], int(rows), int(tables), int(statements or 0), float(seconds or 0.0))
