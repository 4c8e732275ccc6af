"""Work that a warehouse was too busy for is tried again, a bounded number of times, and asks whether it was done."""

import pytest

from loader.errors import WarehouseBusyError, WarehouseError
from loader.load.retrying import retried


class Busy:
    """Work that is refused a number of times."""

    def __init__(self, times: int) -> None:
        self.times, self.asked = times, 0

    def __call__(self) -> str:
        self.asked += 1
        if self.asked <= self.times:
            raise WarehouseBusyError("busy")
        return "done"


def test_what_is_busy_is_tried_again() -> None:
    work = Busy(3)
    assert (retried(work, wait_seconds=0.001), work.asked) == ("done", 4)


def test_after_six_times_it_is_told() -> None:
    work = Busy(100)
    with pytest.raises(WarehouseBusyError):
        retried(work, wait_seconds=0.001)
    assert work.asked == 6


def test_from_the_second_time_on_it_is_asked_whether_it_was_done() -> None:
    assert retried(Busy(1), wait_seconds=0.001, again=lambda: "it was") == "it was"


def test_what_no_time_mends_is_told_at_once() -> None:
    asked = []

    def refused() -> None:
        asked.append(1)
        raise WarehouseError("no")

    with pytest.raises(WarehouseError, match="no"):
        retried(refused, wait_seconds=0.001)
    assert asked == [1]
