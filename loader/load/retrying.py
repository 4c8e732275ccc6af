"""Work in the warehouse that is tried again, where that may help: it was busy, or the connection broke."""

import random
import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from loader.core.faults import Fault
from loader.errors import WarehouseBusyError

T = TypeVar("T")
_TRIES = 6
_FIRST_WAIT_SECONDS, _MAX_WAIT_SECONDS = 0.25, 20.0
# What may be asked so often in ten seconds, as BigQuery's tables may be altered, is asked again for fifteen at least.
_FIRST_WAIT_AFTER_RATE_SECONDS = 1.0


def retried(
    work: Callable[[], T],
    *,
    again: Callable[[], T] | None = None,
    wait_seconds: float = _FIRST_WAIT_SECONDS,
    over: Event | None = None,
) -> T:
    """Do the work, at most 6 times, with growing waits between; raise the last WarehouseBusyError.

    All other errors end it at once: trying again would not help, or nobody would see them. `again` is done in place
    of the work from the second time on, where it matters that the first may have been done and only its answer lost.
    In a thread, where no interrupt arrives, `over` ends the waiting by one.
    """
    wait, act = wait_seconds, work
    for left in reversed(range(_TRIES)):
        try:
            return act()
        except WarehouseBusyError as error:
            if not left:
                raise
            if error.fault == Fault.RATE.value:
                wait = max(wait, _FIRST_WAIT_AFTER_RATE_SECONDS)
        # Not all at the same moment: what made one wait makes others wait too.
        pause = wait * random.uniform(0.5, 1.5)
        if over is None:
            time.sleep(pause)
        elif over.wait(pause):
            raise KeyboardInterrupt
        wait, act = min(wait * 2, _MAX_WAIT_SECONDS), again or work
    raise AssertionError("unreachable: the last try returns or raises")
