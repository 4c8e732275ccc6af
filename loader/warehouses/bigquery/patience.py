"""How often calls are made again, and that nobody who has given up is kept waiting for it.

Google's client would sleep between two tries for up to ten seconds, also in threads, which no Ctrl-C reaches.
"""

import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

_SECONDS = 60.0  # with calls that fail; a job itself may take as long as it likes
_FIRST_WAIT_SECONDS, _MAX_WAIT_SECONDS = 0.2, 10.0
_GLANCE_SECONDS = 0.1  # how often somebody who waits looks whether it is over


class Patience:
    """With calls and jobs, as long as the work that they are for is not over."""

    def __init__(self, over: Callable[[], bool]) -> None:
        self._over, self._ended = over, threading.Event()

    def end(self) -> None:
        """Make no call again and wait for no job any more."""
        self._ended.set()

    def wait(self, seconds: float) -> None:
        """Sleep. KeyboardInterrupt, which no try again survives, as soon as the work is over."""
        until = time.monotonic() + seconds
        while not self._over() and not self._ended.is_set():
            left = until - time.monotonic()
            if left <= 0:
                return
            self._ended.wait(min(left, _GLANCE_SECONDS))
        raise KeyboardInterrupt

    @property
    def retry(self) -> Any:
        """What one call of the client's takes as `retry`. Jobs have ids, so none runs twice."""
        from google.cloud import bigquery

        most = _FIRST_WAIT_SECONDS

        def pause(_: Exception) -> None:
            nonlocal most
            self.wait(random.uniform(0, most))
            most = min(most * 2, _MAX_WAIT_SECONDS)

        # What is worth another try is Google's to know; the waiting is ours.
        own = bigquery.DEFAULT_RETRY.with_delay(0.001, 0.001, 1.0).with_timeout(_SECONDS)
        return partial(own, on_error=pause)
