"""Pace: no window of a rate's length ever holds more requests than it allows, whoever sends them."""

import json
import threading
import time
from pathlib import Path

from loader.core.destination import Rate
from loader.delivery.pace import Pace


def sent(paces: list[Pace], each: int) -> list[float]:
    """Send from all paces at once; return when the requests went, in order."""
    times: list[float] = []

    def send(pace: Pace) -> None:
        for _ in range(each):
            pace.wait()
            times.append(time.monotonic())

    threads = [threading.Thread(target=send, args=(pace,)) for pace in paces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(times)


def test_two_who_share_an_account_share_its_rate(tmp_path: Path) -> None:
    rate = Rate(20, 0.5)
    times = sent([Pace(tmp_path / "account", (rate,)) for _ in range(2)], 30)
    crowded = [later - first for first, later in zip(times, times[rate.requests :], strict=False)]
    assert min(crowded) >= rate.seconds * 0.9, "more than 20 went in half a second"
    assert times[-1] - times[0] < 8, "and it is not slower than it need be"


def test_all_of_several_rates_hold(tmp_path: Path) -> None:
    times = sent([Pace(tmp_path / "account", (Rate(1000, 1), Rate(2, 0.2)))], 5)
    assert times[-1] - times[0] >= 0.6


def test_without_a_rate_nothing_waits_but_a_pause_holds_for_all(tmp_path: Path) -> None:
    one, other = (Pace(tmp_path / "account", ()) for _ in range(2))
    assert one.wait() == 0
    one.pause(1)
    assert other.wait() > 0  # of the second, less what this process was kept from running
    assert one.wait() == 0


def test_a_clock_that_was_set_back_does_not_stop_anybody(tmp_path: Path) -> None:
    (tmp_path / "account").write_text(json.dumps([time.time() + 80_000, time.time() + 86_400]))
    assert Pace(tmp_path / "account", (Rate(10, 1),)).wait() < 2


def test_a_file_that_nobody_can_read_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "account").write_bytes(b"\x00garbage")
    assert Pace(tmp_path / "account", (Rate(10, 1),)).wait() == 0
