"""`loader demo`: the real commands, one after the other, on generated events in a folder of their own.

Everything in it can be run again by hand. A second demo finds the events there and nothing new to load.
"""

import shlex
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loader.commands import bad_input, generating, loading, state
from loader.commands.arguments import Arguments, Commands, command, globals_of
from loader.commands.output import show
from loader.commands.page import Grid, Line, Page
from loader.errors import ConfigError

SETTINGS = """\
[warehouse]
path = "warehouse.duckdb"

[staging]
url = "staging"

[sources.web]
url = "events/web"
layout = "{yyyy}-{mm}-{dd}/{hh}/"

[sources.app]
url = "events/app"
layout = "{yyyy}-{mm}-{dd}/{hh}/"
"""
ODD = "--start 2026-01-01 --days 4 --dirty 0.002 --late 0.02"
EVENTS = (  # source, what to generate: four days, with what real streams have
    ("web", f"--events 16000 --files 48 --event-names 12 --duplicates 0.01 --conflicts 0.01 --batches 0.05 {ODD}"),
    ("app", f"--events 8000 --files 24 --event-names 6 --duplicates 0.01 --conflicts 0.01 --seed 2 {ODD}"),
)
COMMANDS = (  # what is said before, the command
    ("load the first two days, so that the rest meets tables that exist", "load --to 2026-01-03"),
    ("load what is new", "load"),
    ("what is there", "tables"),
    ("values that no column could hold: their rows are loaded, with null in their place", "rejects --limit 10 --show"),
    ("lines of which no row could be made", "quarantine --limit 10"),
)
TEXT = """\
Generate four days of events of two sources, load them into a DuckDB file, and show what is there: with duplicates,
late events, lines that are no event and values of two types. It works in a folder of its own; run it twice."""


@dataclass(frozen=True, slots=True)
class Question:
    """SQL that a person may ask the warehouse, and how its answer is headed."""

    text: str
    sql: str
    headings: tuple[str, ...]


QUESTIONS = (
    Question(
        "how tables that existed changed, and because of which line",
        """\
SELECT schema_name || '.' || table_name || '.' || column_name, change, old_type, type, file || ':' || line
FROM loader.columns WHERE change IN ('add', 'widen') ORDER BY 1 LIMIT 10""",
        ("column", "change", "from", "to", "because of"),
    ),
    Question(
        "which plan orders most, by the newest traits of each user",
        """\
SELECT users.plan, count(*) AS orders, count(DISTINCT users.id) AS customers
FROM web.order_completed AS orders JOIN web.users ON users.id = orders.user_id
GROUP BY 1 ORDER BY 2 DESC, 1""",
        ("plan", "orders", "customers"),
    ),
)


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = command(
        commands,
        "demo",
        demo,
        summary="generate events, load them, and show what is there",
        text=TEXT,
        examples="  loader demo\n  loader demo /tmp/demo",
    )
    parser.add_argument("to", nargs="?", default="demo", metavar="FOLDER", help="work in this folder (default: demo)")


def demo(arguments: Arguments) -> int:
    """Run every step and return the worst exit code."""
    if arguments.json:
        raise ConfigError("the demo is for people; for machines every other command has --json")
    folder = Path(arguments.to or "demo")
    config = folder / "loader.toml"
    if not config.exists():
        _generate(folder)
        config.write_text(SETTINGS, encoding="utf-8")  # last: where it is, all the events are
    parser = _parser()
    codes = [_run(parser, text, ["--config", str(config), *line.split()]) for text, line in COMMANDS]
    for question in QUESTIONS:
        show(list(_answered(question, config)))
    show(["", f"all of it is in {folder}: run `loader demo` again, and nothing is loaded twice"])
    return max(codes)


def _generate(folder: Path) -> None:
    parser = _parser()
    for source, line in EVENTS:
        _run(parser, f"events of the source {source}", ["generate", "--to", f"{folder}/events/{source}", *line.split()])


def _run(parser: ArgumentParser, text: str, words: list[str]) -> int:
    """Show a command, run it as if it had been typed, and return its exit code."""
    show(_heading(text, f"$ loader {shlex.join(words)}"))
    arguments = parser.parse_args(words, namespace=Arguments())
    return arguments.run(arguments)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="loader")
    globals_of(parser)
    commands = parser.add_subparsers()
    for topic in (generating, loading, state, bad_input):
        topic.add(commands)
    return parser


def _heading(text: str, how: str) -> Page:
    return ["", Line(f"-- {text}", "faint"), *(Line(line, "strong") for line in how.splitlines())]


def _answered(question: Question, config: Path) -> Iterator[str | Line | Grid]:
    from loader.config import load_config
    from loader.load.edges import warehouse

    with warehouse(load_config(config), read_only=True) as opened, opened.session() as session:
        rows = session.execute(question.sql)
    yield from _heading(question.text, question.sql)
    cells = tuple(tuple("-" if value is None else str(value) for value in row) for row in rows)
    numbers = {heading for heading, *values in zip(question.headings, *rows, strict=True) if _counts(values)}
    yield Grid(question.headings, cells, frozenset(numbers))


def _counts(values: list[object]) -> bool:
    return bool(values) and all(isinstance(value, int) for value in values)
