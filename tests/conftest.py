"""Fixtures for all tests; helpers are modules beside the tests that use them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flow import harness
from hypothesis import HealthCheck, settings

from loader.config import Config

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("default")


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Config]:
    """Return a function that makes a project with one source in the test's folder."""

    def make(**settings: str) -> Config:
        return harness.project(tmp_path / "project", **settings)

    return make
