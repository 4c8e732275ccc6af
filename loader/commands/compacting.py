"""`loader compact`: fewer, larger files in a lake."""

from collections.abc import Sequence

from loader.commands.arguments import Arguments, Commands, command
from loader.commands.output import answer
from loader.commands.page import Grid, Line, Page
from loader.commands.progress import progress
from loader.commands.settings import settings
from loader.commands.words import number, size
from loader.core.warehouse import Compacted

TEXT = """\
Merge the small Parquet files of each day of each table of a lake into one. Rows stay the same, loads go on meanwhile,
and it can be stopped at any time. A query that reads a folder at that moment may have to be repeated."""


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    command(
        commands,
        "compact",
        compact,
        summary="merge the small files of a lake, day by day",
        text=TEXT,
        examples="  loader compact                 once a day, at night; in Dagster there is a schedule for it",
    )


def compact(arguments: Arguments) -> int:
    """Compact the lake."""
    config = settings(arguments)
    from loader import load as flow  # slow to import, so after all that can be wrong

    with progress() as told:
        found = flow.compact(config, told)
    answer(arguments, found, lambda: page(found))
    return 0


def page(found: Sequence[Compacted]) -> Page:
    """Tell what became of each table."""
    if not found:
        return [Line("no day of a table has small files to merge", "good")]
    rows = tuple((each.table, number(each.before), number(each.after), size(each.stored_bytes)) for each in found)
    return [Grid(("table", "small files", "now", "size"), rows, frozenset(("small files", "now", "size")))]
