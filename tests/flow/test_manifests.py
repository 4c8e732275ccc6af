"""The manifest of a load is written once: who was taken over meanwhile does not write his own over it."""

from collections.abc import Callable

import pytest

from flow.harness import Silent
from loader.config import Config
from loader.core.plan import PlannedLoad
from loader.core.report import Counts
from loader.errors import LeaseError
from loader.load.edges import open_edges
from loader.load.leasing import Lease
from loader.load.runs import Manifest, Run, store_manifest, stored_manifest

OURS, THEIRS = (Manifest({}, {0: Counts(lines=lines)}, [], [], []) for lines in (1, 2))


@pytest.fixture
def run(project: Callable[..., Config]) -> Run:
    edges = open_edges(project(), "web")
    return Run(edges, Lease("web", "token"), Silent(), PlannedLoad("f00d", ()), "load", False, 0.0)


def test_a_manifest_that_is_there_is_not_replaced_by_another(run: Run) -> None:
    store_manifest(run, THEIRS)
    with pytest.raises(LeaseError, match="another load has taken over load f00d"):
        store_manifest(run, OURS)
    assert stored_manifest(run) == THEIRS


def test_the_same_twice_is_the_same_as_once(run: Run) -> None:
    store_manifest(run, OURS)
    store_manifest(run, OURS)
    assert stored_manifest(run) == OURS


def test_one_that_the_tables_do_not_take_any_more_is_replaced(run: Run) -> None:
    store_manifest(run, OURS)
    store_manifest(run, THEIRS, before=OURS)
    assert stored_manifest(run) == THEIRS
