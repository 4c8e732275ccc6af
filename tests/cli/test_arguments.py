"""What may be written on the command line, and what it means."""

import doctest
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loader.cli import parser
from loader.commands import arguments as module
from loader.commands import generating, mending, progress, words
from loader.commands.arguments import Arguments, count, moment, share, window
from loader.core.synthetic import Shape
from loader.core.types import ColumnType
from loader.errors import ConfigError

COMMANDS = (
    *("init", "doctor", "generate", "plan", "load", "status", "tables", "rejects", "quarantine", "retype", "abandon"),
)


def parsed(line: str) -> Arguments:
    return parser().parse_args(line.split(), namespace=Arguments())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
        ("2026-01-31T05", "2026-01-31T05:00:00+00:00"),
        ("2026-01-31 05:30", "2026-01-31T05:30:00+00:00"),
        ("2026-01-31T05:00:00Z", "2026-01-31T05:00:00+00:00"),
        ("2026-01-31T00:30:00+02:00", "2026-01-30T22:30:00+00:00"),
        ("2026-01-31T05:00:00.25", "2026-01-31T05:00:00.250000+00:00"),
    ],
)
def test_a_time_is_in_utc_unless_it_names_an_offset(text: str, expected: str) -> None:
    assert moment(text).isoformat() == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-02-30", "2026-1-1", "20260131", "2026-W05-1", "0001-01-01T00:00+05:00", "12:00"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no time; write one like 2026-01-31"):
        moment(text)


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("1000000", 10**6), ("1,000,000", 10**6), ("1_000", 1000)])
def test_a_number_may_have_separators(text: str, expected: int) -> None:
    assert count(text) == expected


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "many", "1__0", ",1", "٣"])
def test_what_is_no_number_above_zero_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="no whole number above zero"):
        count(text)


@pytest.mark.parametrize("text", ["-0.1", "1.01", "nan", "inf", "half"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="between 0 and 1"):
        share(text)


def test_a_window_has_both_ends_one_or_none() -> None:
    found = window(parsed("load --from 2026-01-31 --to 2026-02-01T05"))
    assert (found.start, found.stop) == (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, 5, tzinfo=UTC))
    assert window(parsed("load --to 2026-02-01")).start is None
    assert window(parsed("load")).stop is None


@pytest.mark.parametrize("stop", ["2026-01-31", "2026-01-30"])
def test_a_window_that_ends_before_it_begins_is_wrong_usage(stop: str) -> None:
    with pytest.raises(ConfigError, match="--from 2026-01-31T00:00 is not before --to"):
        window(parsed(f"load --from 2026-01-31 --to {stop}"))


@pytest.mark.parametrize(
    ("line", "config"),
    [
        ("status", "loader.toml"),
        ("--config a.toml status", "a.toml"),
        ("status --config b.toml", "b.toml"),
        ("-c a.toml status -c b.toml", "b.toml"),
        ("quarantine --config b.toml replay", "b.toml"),
        ("quarantine replay --config b.toml", "b.toml"),
    ],
)
def test_the_settings_file_is_named_before_or_after_the_command(line: str, config: str) -> None:
    assert parsed(line).config == Path(config)


@pytest.mark.parametrize("line", ["--json status", "status --json", "--json quarantine replay"])
def test_json_is_asked_for_before_or_after_the_command(line: str) -> None:
    assert parsed(line).json


def test_a_load_takes_several_sources() -> None:
    found = parsed("load --source web -s app --replay")
    assert (found.sources, found.replay) == (["web", "app"], True)


def test_a_retype_names_table_column_and_type() -> None:
    found = parsed("retype web.tracks total string")
    assert (found.table, found.column, found.type) == ("web.tracks", "total", "string")


def test_the_types_of_a_retype_are_the_column_types() -> None:
    assert list(mending.TYPES) == [kind.value for kind in ColumnType]


def test_generate_has_the_defaults_of_the_generator() -> None:
    assert generating.shape_of(parsed("generate")) == Shape()


def test_generate_passes_every_option_on() -> None:
    line = (
        "generate --events 7 --event-names 6 --seed 5 --files 4 --days 3 --start 2026-03-01T05"
        " --duplicates 0.1 --dirty 0.2 --conflicts 0.3 --late 0.4 --batches 0.5"
    )
    assert generating.shape_of(parsed(line)) == Shape(
        events=7,
        event_names=6,
        seed=5,
        files=4,
        days=3,
        start=datetime(2026, 3, 1, 5, tzinfo=UTC),
        duplicates=0.1,
        dirty=0.2,
        conflicts=0.3,
        late=0.4,
        batches=0.5,
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("generate --dirty 0.6 --late 0.6", "together above 1"),
        ("generate --start 1969-12-31", "between the years 1970 and 9999"),
        ("generate --start 9999-12-31", "between the years 1970 and 9999"),
        ("generate --days 999999999999999", "between the years 1970 and 9999"),
    ],
)
def test_what_cannot_be_generated_is_wrong_usage(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        generating.shape_of(parsed(line))


@pytest.mark.parametrize(
    "line",
    [
        "laod",
        "load --sorce web",
        "load --sour web",
        "load --from yesterday",
        "retype web.tracks total text",
        "retype web.tracks",
        "abandon",
        "generate --to here --source web",
        "rejects --limit 0",
    ],
)
def test_wrong_usage_ends_with_2(line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(line)
    assert ended.value.code == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(f"{name} --help")
    assert ended.value.code == 0
    assert f"examples:\n  loader {name}" in capsys.readouterr().out.replace("loader status   ", "loader abandon ", 1)


def test_the_help_lists_every_command() -> None:
    text = parser().format_help()
    assert [name for name in COMMANDS if f"    {name} " not in text] == []


@pytest.mark.parametrize("topic", [module, generating, progress, words])
def test_the_examples_in_docstrings_are_right(topic: object) -> None:
    failed, tried = doctest.testmod(topic)  # type: ignore[arg-type]  # a module, which mypy sees as an object
    assert (failed, tried > 0) == (0, True)
