"""How answers look: each page is a file in tests/cases/cli, read by a person before it was committed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cli import examples
from loader.commands.bad_input import ShownLine, quarantine_page, rejects_page, shown_page
from loader.commands.generating import Generated, generated_page
from loader.commands.loading import each, load_page
from loader.commands.mending import abandoned_page, retyped_page
from loader.commands.output import answer_json
from loader.commands.page import Grid, Line, Page, plain
from loader.commands.planning import plan_page
from loader.commands.setup import doctor_page
from loader.commands.state import status_page, tables_page
from loader.commands.terminal import colourful
from loader.commands.words import masked
from loader.core.results import Doctor, LoadResult, Progress, Retyped, Status
from loader.errors import CapacityError, LeaseError, StorageError

CASES = Path(__file__).parents[1] / "cases" / "cli"
SHOWN = [
    ShownLine("web", "3f9a1c52", "2026/a.gz", 12, "not_json", examples.DAY, '{"type":\t"track", \x1b[31m'),
    ShownLine("web", "3f9a1c52", "2026/a.gz", 14, "not_json", examples.DAY, None),
    ShownLine("app", "77aa0b1e", "2026/b.gz", 0, "truncated", examples.DAY, None),
]
MASKED = [replace(line, sample=masked(line.sample)) for line in examples.REJECTS]
PAGES: dict[str, Page] = {
    "load_clean": load_page(examples.CLEAN),
    "load_with_a_bad_file": load_page(replace(examples.CLEAN, problems=("2026/a.gz: truncated: too short",))),
    "load_with_problems": load_page(examples.MIXED),
    "plan": plan_page(examples.PLAN),
    "plan_of_nothing": plan_page(examples.EMPTY_PLAN),
    "status": status_page(examples.STATUS),
    "status_before_the_first_load": status_page(Status(examples.STATUS.sources[:1], (), 0, 0)),
    "tables": tables_page(examples.TABLES, columns=False),
    "tables_with_columns": tables_page(examples.TABLES, columns=True),
    "tables_before_the_first_load": tables_page([], columns=True),
    "rejects": rejects_page(MASKED, limit=50, shown=False),
    "rejects_shown": rejects_page(examples.REJECTS, limit=2, shown=True),
    "rejects_none": rejects_page([], limit=50, shown=False),
    "quarantine": quarantine_page(examples.QUARANTINE, limit=2),
    "quarantine_shown": shown_page(SHOWN, limit=50),
    "quarantine_empty": quarantine_page([], limit=50),
    "doctor": doctor_page(examples.DOCTOR),
    "doctor_well": doctor_page(Doctor(examples.DOCTOR.checks[:1])),
    "retyped": retyped_page(Retyped("web.order_completed", "total", "integer", "string", 1_200, 1)),
    "abandoned": abandoned_page("77aa0b1e", 20),
    "generated": generated_page(Generated("/data/web", 20, 10_000, 1_786_525, 3), into_source=True),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_prints_as_in_its_file(name: str) -> None:
    assert plain(PAGES[name]) == (CASES / f"{name}.txt").read_text(encoding="utf-8")


def test_every_file_is_a_page() -> None:
    assert sorted(path.stem for path in CASES.glob("*.txt")) == sorted([*PAGES, "terminal"])


@pytest.mark.parametrize("name", PAGES)
def test_a_page_never_holds_what_a_terminal_obeys(name: str) -> None:
    assert plain(PAGES[name]).replace("\n", "").isprintable()


def test_a_page_on_a_terminal_is_as_wide_as_it() -> None:
    console = Console(file=StringIO(), width=60, force_terminal=True, color_system=None, legacy_windows=False)
    page = [Line("[bold]3 tables", "strong"), *PAGES["tables"], Line("\x1b[2J", "bad")]
    text = "".join(f"{line.rstrip()}\n" for line in colourful(page, console=console).splitlines())
    assert text == (CASES / "terminal.txt").read_text(encoding="utf-8")


def test_a_long_line_is_cut_and_its_length_told() -> None:
    line = replace(SHOWN[0], text="x" * 3_000)
    assert plain(shown_page([line], limit=50)).splitlines()[1] == f"  {'x' * 2_000}… (3,000 characters)"


def test_wide_letters_keep_columns_aligned() -> None:
    lines = plain([Grid(("name", "n"), (("東京", "1"), ("Ana", "22")), frozenset({"n"}))]).splitlines()
    assert lines == ["  name   n", "  東京   1", "  Ana   22"]


def outcome(source: str, _: Progress) -> Sequence[LoadResult]:
    match source:
        case "busy":
            raise LeaseError("another load holds it")
        case "gone":
            raise StorageError("no such folder")
        case "full":
            raise CapacityError("disk full")
        case "mixed":
            return [examples.CLEAN, examples.MIXED]
        case "quiet":
            return []
        case _:
            return [examples.CLEAN]


@pytest.mark.parametrize(
    ("sources", "code", "loads"),
    [
        (["quiet"], 0, 0),
        (["web", "quiet"], 0, 1),
        (["mixed", "web"], 1, 3),
        (["busy", "web"], 1, 1),
        (["gone", "busy", "web"], 1, 1),
    ],
)
def test_a_source_that_fails_does_not_stop_the_others(
    sources: list[str], code: int, loads: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert each(sources, outcome, nothing="nothing to load", json=True) == code
    assert len(json.loads(capsys.readouterr().out)) == loads


def test_an_error_of_all_sources_ends_the_work_and_keeps_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CapacityError):
        each(["web", "full", "web"], outcome, nothing="nothing to load", json=True)
    assert [load["load_id"] for load in json.loads(capsys.readouterr().out)] == ["3f9a1c52"]


def test_a_source_with_nothing_new_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert each(["quiet", "busy"], outcome, nothing="nothing to load", json=False) == 1
    assert capsys.readouterr() == ("quiet: nothing to load\n", "loader: busy: another load holds it\n")


def test_json_is_one_line_with_times_in_iso_8601(capsys: pytest.CaptureFixture[str]) -> None:
    answer_json(examples.STATUS)
    written = capsys.readouterr().out
    assert written.count("\n") == 1
    found = json.loads(written)
    assert found["sources"][0]["newest_received_at"] == "2026-01-31T05:00:00Z"
    assert found["sources"][1]["open_loads"][0] == ["77aa0b1e", "loading", "app.tracks: out of memory"]
    assert (found["loads"][0]["conserved"], found["unaccounted"]) == (None, 2)
