"""The command line's words: what every command accepts, and how times, numbers and shares are written."""

import argparse
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from loader.core.results import Window
from loader.errors import ConfigError

Commands: TypeAlias = "argparse._SubParsersAction[ArgumentParser]"
Options: TypeAlias = "argparse._ActionsContainer"
CONFIG = Path("loader.toml")


class Arguments(Namespace):
    """What was written on the command line. A command reads only the arguments that it declares."""

    run: Callable[["Arguments"], int]  # returns the exit code
    config: Path
    json: bool
    debug: bool
    version: bool
    source: str | None
    sources: list[str]
    table: str
    in_table: str | None
    column: str
    type: str
    limit: int
    show: bool
    columns: bool
    start: datetime | None
    stop: datetime | None
    replay: bool
    load_id: str
    to: str | None
    first: datetime
    names: list[str]
    name: str
    words: list[str]
    dry_run: bool
    full: bool
    resync: bool
    approve: str | None
    retry: str | None
    duplicates: float
    dirty: float
    conflicts: float
    late: float


def globals_of(parser: ArgumentParser) -> None:
    """Add the options that come before the command, with their defaults."""
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    _shared(parser, config=CONFIG, flag=False)


def command(
    commands: Commands, name: str, run: Callable[[Arguments], int], *, summary: str, text: str, examples: str
) -> ArgumentParser:
    """Add a command. `summary` stands in the list of commands, `text` and `examples` in its own help."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=text,
        epilog=f"examples:\n{examples}",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _shared(parser, config=argparse.SUPPRESS, flag=argparse.SUPPRESS)  # what came before the command stays
    parser.set_defaults(run=run)
    return parser


def sources_option(parser: ArgumentParser) -> None:
    """Add `--source`, any number of times."""
    parser.add_argument(
        *("--source", "-s"),
        dest="sources",
        action="append",
        default=[],
        metavar="NAME",
        help="only this source of loader.toml; may be repeated (default: every source)",
    )


def source_option(parser: Options, *, text: str = "only this source of loader.toml") -> None:
    """Add `--source`, once."""
    parser.add_argument("--source", "-s", metavar="NAME", help=text)


def window_options(parser: ArgumentParser) -> None:
    """Add `--from` and `--to`, which `window` reads."""
    form = "in UTC, like 2026-01-31, 2026-01-31T05 or 2026-01-31T05:00:00Z"
    parser.add_argument(
        "--from", dest="start", type=moment, metavar="TIME", help=f"files received at or after this time, {form}"
    )
    parser.add_argument(
        "--to",
        dest="stop",
        type=moment,
        metavar="TIME",
        help="files received before this time, written in the same way",
    )


def limit_option(parser: ArgumentParser) -> None:
    """Add `--limit`."""
    parser.add_argument("--limit", type=count, default=50, metavar="N", help="at most so many lines (default: 50)")


def window(arguments: Arguments) -> Window:
    """Return the partitions asked for. Raises ConfigError where they end before they begin."""
    start, stop = arguments.start, arguments.stop
    if start and stop and start >= stop:
        raise ConfigError(
            f"--from {start:%Y-%m-%dT%H:%M} is not before --to {stop:%Y-%m-%dT%H:%M}; "
            "--to is left out, so for one day write the next day there"
        )
    return Window(start, stop)


def moment(text: str) -> datetime:
    """Return the time written, in UTC unless it names another offset.

    >>> moment("2026-01-31T05+01:00").isoformat()
    '2026-01-31T04:00:00+00:00'
    """
    try:
        written = datetime.fromisoformat(text) if re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None
        if written is not None:
            return written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ArgumentTypeError(f"{text!r} is no time; write one like 2026-01-31, 2026-01-31T05 or 2026-01-31T05:00:00Z")


def count(text: str) -> int:
    """Return a whole number above zero; `1_000_000` and `1,000,000` are fine."""
    digits = re.sub(r"(?<=[0-9])[_,](?=[0-9])", "", text)
    if not re.fullmatch(r"[0-9]{1,15}", digits) or not int(digits):
        raise ArgumentTypeError(f"{text!r} is no whole number above zero")
    return int(digits)


def share(text: str) -> float:
    """Return a number between 0 and 1."""
    try:
        if 0 <= float(text) <= 1:
            return float(text)
    except ValueError:
        pass
    raise ArgumentTypeError(f"{text!r} is no share; write a number between 0 and 1, like 0.01 for one in a hundred")


def _shared(parser: ArgumentParser, *, config: Path | str, flag: bool | str) -> None:
    parser.add_argument(
        *("--config", "-c"),
        type=Path,
        default=config,
        metavar="PATH",
        help="the settings file (default: loader.toml in this folder)",
    )
    parser.add_argument("--json", action="store_true", default=flag, help="answer with one JSON document")
    parser.add_argument("--debug", action="store_true", default=flag, help="show the traceback of an error")
