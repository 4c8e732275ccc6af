"""Progress where nobody watches: few lines, each with how much and how fast."""

import pytest

from loader.commands.progress import LogLines
from loader.commands.terminal import Bar


class Clock:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def told() -> tuple[LogLines, Clock, list[str]]:
    clock = Clock()
    lines: list[str] = []
    return LogLines(write=lines.append, clock=clock), clock, lines


def test_quick_work_says_nothing() -> None:
    log, clock, lines = told()
    log.step("web: reading 2 files", total=2000, unit="bytes")
    clock.now += 4.9
    log.advance(2000, events=10)
    assert lines == []


def test_long_work_says_how_far_and_how_fast_every_five_seconds() -> None:
    log, clock, lines = told()
    log.step("web: reading 2 files", total=4 * 1024**2, unit="bytes")
    for _ in range(80):
        clock.now += 0.125
        log.advance(10 * 1024, events=1000)
    assert lines == [
        "web: reading 2 files: 400.0 KB of 4.0 MB, 40,000 events, 8,000 events/s, 80.0 KB/s",
        "web: reading 2 files: 800.0 KB of 4.0 MB, 80,000 events, 8,000 events/s, 80.0 KB/s",
    ]


def test_a_new_step_counts_anew() -> None:
    log, clock, lines = told()
    log.step("web: reading 1 files", total=1000, unit="bytes")
    log.advance(1000, events=5)
    log.step("web: merging 60 tables", total=60, unit="tables")
    clock.now += 6
    log.advance(3)
    assert lines == ["web: merging 60 tables: 3 of 60 tables"]


def test_a_note_is_said_at_once() -> None:
    log, _, lines = told()
    log.note("web: load 3f9a continues")
    assert lines == ["web: load 3f9a continues"]


def test_the_bar_shows_steps_and_notes(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar() as bar:
        bar.step("web: reading 2 files", total=4096, unit="bytes")
        bar.advance(2048, events=10)
        bar.note("web: a note with [markup] and \x1b[31m")
        bar.step("web: merging", total=None, unit="tables")
        bar.advance(1)
    said = capsys.readouterr()
    assert said.out == ""
    assert "web: a note with [markup] and \\x1b[31m\n" in said.err
