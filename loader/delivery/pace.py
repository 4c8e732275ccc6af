"""Pace: no more requests than an account's rates allow, from all processes of this machine together.

Each rate is a token bucket: a tenth of its requests at once, the rest spread, so that no window of its length, however
laid, holds more. The state is a few numbers in a file that is locked for microseconds.
"""

import fcntl
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from loader.core.destination import Rate

_LONGEST_PAUSE_SECONDS = 3600.0
_BURST = 10  # a tenth of the requests may come at once


class Pace:
    """The pace of one account. Calls may come from several threads and processes."""

    def __init__(self, path: Path, rates: Sequence[Rate]) -> None:
        self._path, self._rates = path, tuple(rates)
        path.parent.mkdir(parents=True, exist_ok=True)

    def wait(self) -> float:
        """Wait until another request may go, and count it; return the seconds waited."""
        waited = 0.0
        while (seconds := self._take()) > 0:
            time.sleep(seconds)
            waited += seconds
        return waited

    def pause(self, seconds: float) -> None:
        """Let nobody send for so long: the tool has asked for it."""
        with self._locked() as state:
            state[0] = max(state[0], time.time() + seconds)

    def _take(self) -> float:
        """Count a request and return 0; or return how long to wait before trying again."""
        with self._locked() as state:
            now = time.time()
            if state[0] > now + _LONGEST_PAUSE_SECONDS:
                state[0] = now  # the clock was set back
            longest = max((rate.seconds for rate in self._rates), default=0.0)
            for place, due in enumerate(state):
                if place and due > now + longest * 2:
                    state[place] = now  # the clock was set back
            waits = [state[0] - now]
            for place, rate in enumerate(self._rates, 1):
                burst, interval = _bucket(rate)
                waits.append(state[place] - now - (burst - 1) * interval)
            if max(waits) > 0:
                return max(waits)
            for place, rate in enumerate(self._rates, 1):
                state[place] = max(state[place], now) + _bucket(rate)[1]
            return 0.0

    def _locked(self) -> "_State":
        return _State(self._path, 1 + len(self._rates))


class _State:
    """The numbers in the file: paused until, then when each rate's bucket is full again. Seconds since 1970."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size

    def __enter__(self) -> list[float]:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._numbers = [0.0] * self._size
        with suppress(ValueError, TypeError):  # an empty file, or one of another time
            found = [float(each) for each in json.loads(os.read(self._file, 4096) or b"[]")]
            self._numbers = (found + self._numbers)[: self._size] if len(found) == self._size else self._numbers
        return self._numbers

    def __exit__(self, *_: object) -> None:
        data = json.dumps(self._numbers).encode()
        os.pwrite(self._file, data, 0)
        os.ftruncate(self._file, len(data))
        os.close(self._file)


def _bucket(rate: Rate) -> tuple[int, float]:
    """Return how many may come at once, and the seconds after which another may."""
    burst = max(1, rate.requests // _BURST)
    return burst, rate.seconds / max(1, rate.requests - burst)
