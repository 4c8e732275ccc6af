"""`loader destinations`: which tools there are, and whether one that is configured really works."""

from loader.commands.arguments import Arguments, Commands, command
from loader.commands.output import answer
from loader.commands.page import Grid, Line, Page
from loader.commands.settings import settings
from loader.commands.words import number, size
from loader.core.sync_results import CheckResult, KindLine
from loader.errors import ConfigError


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = command(
        commands,
        "destinations",
        destinations,
        summary="the tools that audiences can be sent to",
        text="List the kinds of destination with their modes, limits and settings; or, with `check NAME`, really try\n"
        "the credentials and permissions of one in loader.toml. A check changes nothing in the tool.",
        examples="  loader destinations\n  loader destinations hubspot\n  loader destinations check crm",
    )
    parser.add_argument("words", nargs="*", metavar="check NAME", help="a kind, to see its fields; or check and a name")


def destinations(arguments: Arguments) -> int:
    """List the kinds, tell one, or check a destination."""
    words = arguments.words
    if words[:1] == ["check"] and len(words) == 2:
        return _check(arguments, words[1])
    if len(words) > 1 or words == ["check"]:
        raise ConfigError("write `loader destinations`, `loader destinations KIND` or `loader destinations check NAME`")
    from loader import sync as flow  # slow to import, so after all that can be wrong

    found = [each for each in flow.kinds() if not words or each.kind == words[0]]
    if not found:
        raise ConfigError(f"no kind {words[0]!r} of destination; `loader destinations` lists them")
    answer(arguments, found, lambda: kind_page(found[0]) if words else kinds_page(found))
    return 0


def _check(arguments: Arguments, name: str) -> int:
    config = settings(arguments)
    from loader import sync as flow  # slow to import, so after all that can be wrong

    found = flow.check(config, name)
    answer(arguments, found, lambda: check_page(found))
    return 0 if found.ok else 1


def kinds_page(found: list[KindLine]) -> Page:
    """Tell the kinds."""
    headings = ("kind", "tool", "modes", "known by", "rows/request", "pace", "resend")
    rows = tuple(
        (
            *(each.kind, each.title, ", ".join(each.modes), " or ".join(each.identity) or "the key"),
            *(number(each.rows), ", ".join(each.rates) or "-", each.resend),
        )
        for each in found
    )
    return [Grid(headings, rows, frozenset({"rows/request"})), "`loader destinations KIND` tells fields and settings"]


def kind_page(each: KindLine) -> Page:
    """Tell one kind."""
    fields = ", ".join(each.fields)
    more = (" and any other" if fields else "any") if each.further_fields else ""
    limits = f"{number(each.rows)} rows and {size(each.bytes)} per request"
    return [
        Line(f"{each.kind}: {each.title}", "strong"),
        f"  modes       {', '.join(each.modes)}",
        f"  known by    {' or '.join(each.identity) or 'the key of the sync'}",
        f"  fields      {fields}{more}",
        f"  limits      {limits}; {', '.join(each.rates) or 'no pace'}",
        f"  resend      {each.resend}{'; works in jobs that are asked for' if each.jobs else ''}",
        f"  settings    {', '.join(each.settings)}",
        f"  page        {each.docs}",
    ]


def check_page(found: CheckResult) -> Page:
    """Tell a check."""
    return [Line(f"{found.destination} ({found.kind}): {found.detail}", "good" if found.ok else "bad")]
