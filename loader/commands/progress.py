"""How far long work is: a bar where someone watches, a log line every few seconds elsewhere. On standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from loader.commands.output import on_terminal, say
from loader.commands.words import amount, duration, number, rate, size
from loader.core.results import Progress

EVERY_SECONDS = 5.0


@contextmanager
def progress() -> Iterator[Progress]:
    """Give something to tell progress to. Steps and notes are told as they are named: with their source, or without."""
    if on_terminal(sys.stderr):
        from loader.commands.terminal import Bar

        with Bar() as bar:
            yield bar
    else:
        yield LogLines(write=say, clock=time.monotonic)


class LogLines:
    """Progress as lines of text: none for quick work, then one every few seconds."""

    def __init__(self, *, write: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._write, self._clock = write, clock
        self._lock = Lock()
        self._said_at = clock()
        self._begin("", total=None, unit="")

    def step(self, name: str, *, total: int | None, unit: str) -> None:
        """Begin to count anew."""
        with self._lock:
            self._begin(name, total=total, unit=unit)

    def advance(self, amount: int, *, events: int = 0) -> None:
        """Count, and say so if the last line is some seconds old."""
        with self._lock:
            self._done += amount
            self._events += events
            now = self._clock()
            if now - self._said_at < EVERY_SECONDS:
                return
            self._said_at = now
            counted = done_of(self._done, self._total, self._unit)
            speeds = rates(self._done, self._events, self._unit, now - self._began_at)
            left = remaining(self._done, self._total, self._unit, now - self._began_at)
            self._write(f"{self._name}: {', '.join([counted, *speeds, *left])}")

    def note(self, text: str) -> None:
        """Say it at once."""
        self._write(text)

    def _begin(self, name: str, *, total: int | None, unit: str) -> None:
        self._name, self._total, self._unit = name, total, unit
        self._began_at, self._done, self._events = self._clock(), 0, 0


def done_of(done: int, total: int | None, unit: str) -> str:
    """Return how much of a step is done, in its unit.

    >>> done_of(3, 60, "tables"), done_of(512, 2048, "bytes"), done_of(1200, None, "files")
    ('3 of 60 tables', '512 B of 2.0 KB', '1,200 files')
    """
    if unit == "bytes":
        return size(done) if total is None else f"{size(done)} of {size(total)}"
    return f"{number(done)} {unit}" if total is None else f"{number(done)} of {number(total)} {unit}"


def rates(done: int, events: int, unit: str, seconds: float) -> list[str]:
    """Return how fast a step goes: events and bytes per second, where they are counted."""
    found = []
    if events:
        found += [amount(events, "event"), f"{rate(events, seconds):,.0f} events/s"]
    if unit == "bytes":
        found.append(f"{size(rate(done, seconds))}/s")
    if unit == "rows":
        found.append(f"{rate(done, seconds):,.0f} rows/s")
    return found


def remaining(done: int, total: int | None, unit: str, seconds: float) -> list[str]:
    """Return how long the rows that are left take at this pace, which is that of the tool.

    >>> remaining(1000, 7000, "rows", 10.0), remaining(1, 2, "files", 1.0)
    (['1 min 0 s left'], [])
    """
    if unit != "rows" or total is None or not done:
        return []
    return [f"{duration((total - done) * seconds / done)} left"]
