"""The same events give equal tables, rejects and quarantine in every warehouse, value by value.

What equal means is written at the head of `contract.reading`. DuckDB is what the others are compared with; that it is
right itself is compared with the slow, obvious shredder in tests/reference.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from flow import harness
from flow.harness import put, run

from contract import reading
from contract.conftest import Project
from contract.places import Place
from loader.config import Config
from loader.core.synthetic import Shape, files
from loader.load import retype

SHAPE = Shape(
    events=20_000, event_names=8, files=8, dirty=0.01, conflicts=0.02, duplicates=0.03, late=0.02, batches=0.05, seed=11
)
CASES = Path(__file__).parents[1] / "cases" / "events"


def loaded(config: Config) -> tuple[Any, ...]:
    """Load half of the corpus with the cases, then the rest and what contradicts them; retype; return what is there."""
    made = list(files(SHAPE))
    for key, content in made[: SHAPE.files // 2]:
        put(config, f"{key}.gz", content)
    put(config, "edges.gz", (CASES / "edges.jsonl").read_bytes())
    first = run(config)
    for key, content in made[SHAPE.files // 2 :]:
        put(config, f"{key}.gz", content)
    put(config, "conflicts.gz", (CASES / "conflicts.jsonl").read_bytes())
    second = run(config)
    before = reading.rejects(config)
    wider = [("edge", "n", "string"), ("edge", "d", "json"), ("edge", "t", "json"), ("identifies", "age", "string")]
    retyped = [retype(config, f"web.{table}", column, kind) for table, column, kind in wider]
    sums = [(each.events, each.rows, each.duplicates, each.quarantined, each.rejects) for each in (*first, *second)]
    told = (sums, [(each.restored, each.left) for each in retyped])
    found = reading.columns(config), reading.tables(config), before, reading.rejects(config), reading.quarantine(config)
    return (*found, told)


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    return loaded(harness.project(tmp_path_factory.mktemp("corpus") / "duckdb"))


def test_the_corpus_is_the_same_as_in_duckdb(make: Project, place: Place, expected: tuple[Any, ...]) -> None:
    if place.kind == "duckdb":
        pytest.skip("is what the others are compared with")
    config = make()
    found = loaded(config)
    what = ("columns", "tables", "rejects before the retype", "rejects", "quarantine", "sums")
    assert [row for retyped in expected[-1][1] for row in retyped if row] != [], "the corpus gives nothing to put back"
    for name, ours, theirs in zip(what, found, expected, strict=True):
        assert _difference(ours, theirs) == [], name
    assert reading.leftovers(config) == []


def _difference(ours: Any, theirs: Any) -> list[str]:
    """Return a few of the things that only one of the two has: in them, where both are mappings of such things."""
    if isinstance(ours, dict) and not isinstance(ours, Counter):
        if ours.keys() != theirs.keys():
            return sorted(ours.keys() ^ theirs.keys())
        return [f"{each}: {found}" for each in ours for found in _difference(ours[each], theirs[each])][:6]
    if isinstance(ours, Counter):
        if dict.__eq__(ours, theirs):  # a Counter's own way is slow, and none of these has a count of 0
            return []
        return [f"{count:+} {row}" for row, count in (*(ours - theirs).items(), *(theirs - ours).items())][:6]
    return [] if ours == theirs else [f"{ours} is not {theirs}"]
