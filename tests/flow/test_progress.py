"""What a load tells while it is at work: every byte and every event of its files, once per reading."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from flow.harness import Silent, put
from loader.config import Config
from loader.core.results import Window
from loader.core.synthetic import Shape, files
from loader.load import load

SHAPE = Shape(events=3_000, event_names=3, files=4, dirty=0.01, batches=0.05, conflicts=0.0)


class Counting(Silent):
    """A progress that adds up what each step is told."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[str, int | None]] = []
        self.done: Counter[str] = Counter()
        self.events: Counter[str] = Counter()

    def step(self, name: str, *, total: int | None, unit: str) -> None:
        """Begin another sum."""
        self.steps.append((f"{name} ({unit})", total))

    def advance(self, amount: int, *, events: int = 0) -> None:
        """Add to the sum of the step."""
        self.done[self.steps[-1][0]] += amount
        self.events[self.steps[-1][0]] += events


@pytest.mark.parametrize("workers", [1, 2])
def test_every_byte_and_every_event_is_told(workers: int, project: Callable[..., Config]) -> None:
    config, told = project(load=f"workers = {workers}"), Counting()
    paths: list[Path] = [put(config, key, content, packed=False) for key, content in files(SHAPE)]
    [result] = load(config, "web", window=Window(), replay=False, progress=told)
    assert result.events >= SHAPE.events
    reading = "web: reading 4 files (bytes)"
    assert told.steps[0] == (reading, sum(path.stat().st_size for path in paths))
    assert (told.done[reading], told.events[reading]) == (result.stored_bytes, result.events)
