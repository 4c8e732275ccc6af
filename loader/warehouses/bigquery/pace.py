"""The limit on changes of a table: five in ten seconds (cloud.google.com/bigquery/quotas#standard_tables, 2026-11)."""

import threading
import time
from collections import defaultdict, deque

_UPDATES, _SECONDS = 5, 10.5


class Pace:
    """When each table was altered last."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_UPDATES))
        self._lock = threading.Lock()

    def wait(self, table: str) -> None:
        """Wait until a table may be altered once more."""
        with self._lock:
            times = self._times[table]
            now = time.monotonic()
            at = now if len(times) < _UPDATES else max(now, times[0] + _SECONDS)
            times.append(at)
        time.sleep(max(at - now, 0.0))
