"""Warehouses for the contract suite: each kind is served once, and every test has an empty one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flow.harness import LAYOUT

from contract import exceptions, live, places
from contract.places import Place
from loader.config import Config, load_config

Project = Callable[..., Config]


@pytest.fixture(scope="session", params=places.KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Return a kind of warehouse, served until all its tests are done."""
    settings = live.settings(request.param)
    with places.serve(request.param) if settings is None else live.serve(request.param, settings) as found:
        yield found


@pytest.fixture
def make(place: Place, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a function that makes a project with one source `web` and an empty warehouse of the kind."""
    exceptions.apply(request, place.kind)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)

    def made(name: str = "project", *, source: str = "", warehouse: str | None = None) -> Config:
        folder = tmp_path / name
        (folder / "events").mkdir(parents=True)
        path = folder / "loader.toml"
        path.write_text(
            f"[warehouse]\n{warehouse or place.fresh()}\n[staging]\n{place.staging()}\n"
            f'[load]\nlock_wait = "2m"\nworkers = 1\n[sources.web]\nurl = "events"\nlayout = "{LAYOUT}"\n{source}\n'
        )
        return load_config(path)

    return made
