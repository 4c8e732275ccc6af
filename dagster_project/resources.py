"""What the assets need from `loader`: its settings, its flow, and somewhere to tell progress to."""

from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from loader.config import load_config
from loader.core.results import LoadResult, Window
from loader.errors import LoaderError
from loader.load import load


class LoaderResource(dg.ConfigurableResource[None]):
    """The loader, as its settings file describes it. The file is read again in every run."""

    config_path: str

    def load(self, source: str, window: dg.TimeWindow, log: dg.DagsterLogManager) -> list[LoadResult]:
        """Load the source's new files of the window. Called again, it finds nothing new.

        Raises Failure; Dagster tries again where the same call may succeed later, unchanged.
        """
        asked = Window(window.start, window.end)
        try:
            return load(load_config(Path(self.config_path)), source, window=asked, replay=False, progress=Log(log))
        except LoaderError as error:
            raise dg.Failure(str(error), allow_retries=error.transient) from error


@dataclass(frozen=True, slots=True)
class Log:
    """Progress in a run's log: its steps and notes. The UI has no bar to move."""

    log: dg.DagsterLogManager

    def step(self, name: str, *, total: int | None, unit: str) -> None:
        """Say what begins."""
        self.log.info(name if total is None else f"{name} ({total:,} {unit})")

    def advance(self, amount: int, *, events: int = 0) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say it."""
        self.log.info(text)
