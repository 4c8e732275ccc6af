"""`loader retype` and `loader abandon`: a wider column, and a load that is given up."""

import re

from loader.commands.arguments import Arguments, Commands, command
from loader.commands.output import answer
from loader.commands.page import Line, Page
from loader.commands.settings import settings
from loader.commands.words import amount, number
from loader.core.results import Retyped
from loader.errors import ConfigError

TYPES = ("boolean", "integer", "double", "timestamp", "string", "json")


def add(commands: Commands) -> None:
    """Add the commands to the command line."""
    parser = command(
        commands,
        "retype",
        retype,
        summary="give a column a wider type, and put its rejects back",
        text="Give a column a type that holds more, keep what is in it, and put back the rejected values that fit now.",
        examples="  loader retype web.order_completed total string",
    )
    parser.add_argument("table", metavar="TABLE", help="the table, written as schema.table")
    parser.add_argument("column", metavar="COLUMN", help="the column")
    parser.add_argument("type", metavar="TYPE", choices=TYPES, help=f"the new type: {', '.join(TYPES)}")
    parser = command(
        commands,
        "abandon",
        abandon,
        summary="give up a load that is not done; its files become new again",
        text="Give up a load that is not done. Its files are new again, so that another load can take them; rows that\n"
        "it has loaded stay, and are not loaded twice.",
        examples="  loader status                  names the loads that are not done\n  loader abandon 3f9a1c52",
    )
    parser.add_argument("load_id", metavar="LOAD", help="the id of the load")


def retype(arguments: Arguments) -> int:
    """Widen the column."""
    if not re.fullmatch(r"[^.]+\.[^.]+", arguments.table):
        raise ConfigError(f"{arguments.table!r} is no table; write schema.table, like web.order_completed")
    config = settings(arguments)
    from loader import load as flow  # slow to import, so after all that can be wrong

    found = flow.retype(config, arguments.table, arguments.column, arguments.type)
    answer(arguments, found, lambda: retyped_page(found))
    return 0


def abandon(arguments: Arguments) -> int:
    """Give up the load."""
    config = settings(arguments)
    from loader import load as flow  # slow to import, so after all that can be wrong

    files = flow.abandon(config, arguments.load_id)
    found = {"load_id": arguments.load_id, "files": files}
    answer(arguments, found, lambda: abandoned_page(arguments.load_id, files))
    return 0


def retyped_page(found: Retyped) -> Page:
    """Tell what the column is now, and how many values came back."""
    change = f"{found.table}.{found.column}: {found.old} to {found.new}"
    back = f"{amount(found.restored, 'rejected value')} put back"
    left = f", {number(found.left)} fit this type neither" if found.left else ""
    return [Line(f"{change}, {back}{left}", "good")]


def abandoned_page(load_id: str, files: int) -> Page:
    """Tell how many files are new again."""
    return [f"load {load_id} is given up; {amount(files, 'file')} can be loaded again", "next: `loader load`"]
