"""The same events give equal tables, rejects and quarantine in every warehouse, value by value.

What equal means is written at the head of `contract.reading`. DuckDB is what the others are compared with; that it is
right itself is compared with the slow, obvious shredder in tests/reference.
"""

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
EDGES = (Path(__file__).parents[1] / "cases" / "events" / "edges.jsonl").read_bytes()


def loaded(config: Config) -> tuple[Any, ...]:
    """Load half of the corpus, then the rest with the cases, then give a column a wider type; return what is there."""
    made = list(files(SHAPE))
    for key, content in made[: SHAPE.files // 2]:
        put(config, f"{key}.gz", content)
    first = run(config)
    for key, content in made[SHAPE.files // 2 :]:
        put(config, f"{key}.gz", content)
    put(config, "edges.gz", EDGES)
    second = run(config)
    before = reading.rejects(config)
    retyped = retype(config, "web.edge", "n", "string")
    sums = [(each.events, each.rows, each.duplicates, each.quarantined, each.rejects) for each in (*first, *second)]
    told = (sums, (retyped.restored, retyped.left))
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
    for name, ours, theirs in zip(what, found, expected, strict=True):
        assert ours.keys() == theirs.keys() if isinstance(ours, dict) else True
        for each in sorted(ours) if isinstance(ours, dict) else ():
            extra, missing = _difference(ours[each], theirs[each])
            assert (extra, missing) == ([], []), f"{name} of {each}"
        assert ours == theirs, name
    assert reading.leftovers(config) == []


def _difference(ours: Any, theirs: Any) -> tuple[list[Any], list[Any]]:
    """Return a few of the things that only one of the two has."""
    one, other = (set(each.items()) if isinstance(each, dict) else set(each) for each in (ours, theirs))
    return sorted(map(str, one - other))[:3], sorted(map(str, other - one))[:3]
