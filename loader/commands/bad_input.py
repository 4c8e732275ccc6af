"""`loader rejects` and `loader quarantine`: what could not be loaded, why, and how to bring it back.

Values and lines may be personal data: they are shown only with --show.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from loader.commands.arguments import (
    Arguments,
    Commands,
    command,
    limit_option,
    source_option,
    sources_option,
)
from loader.commands.loading import each
from loader.commands.output import answer
from loader.commands.page import Grid, Line, Page
from loader.commands.settings import chosen, known, settings
from loader.commands.words import masked, number, shortened, when
from loader.core.results import LoadResult, Progress, QuarantineLine, RejectLine

LINE_CHARACTERS = 2000  # of a quarantined line on a page; JSON has all of it


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A quarantined line with its text, or None where it can no longer be read."""

    source: str
    load_id: str
    file: str
    line: int
    reason: str
    at: datetime
    text: str | None


def add(commands: Commands) -> None:
    """Add the commands to the command line."""
    parser = command(
        commands,
        "rejects",
        rejects,
        summary="values that no column could hold, and why",
        text="List values that did not fit the type of their column, by column and reason. The row was loaded, with\n"
        "null in their place. `loader retype` makes a column wider and puts them back.",
        examples="  loader rejects\n  loader rejects --table web.order_completed --show",
    )
    source_option(parser)
    parser.add_argument("--table", dest="in_table", metavar="TABLE", help="only this table, written as schema.table")
    limit_option(parser)
    parser.add_argument("--show", action="store_true", help="show the values themselves, not only their form")
    _add_quarantine(commands)


def _add_quarantine(commands: Commands) -> None:
    parser = command(
        commands,
        "quarantine",
        quarantine,
        summary="lines and files of which no row could be made, and why",
        text="List lines that are no event, and files that cannot be read: where they are, and the reason.\n"
        "`loader quarantine replay` tries them again, after a fix.",
        examples="  loader quarantine\n  loader quarantine --source web --show\n  loader quarantine replay",
    )
    source_option(parser)
    limit_option(parser)
    parser.add_argument("--show", action="store_true", help="read each line back from its file and show it")
    again = command(
        parser.add_subparsers(title="actions", metavar="ACTION"),
        "replay",
        replay,
        summary="try the quarantined lines again",
        text="Load the quarantined lines and files again: what can be read now becomes rows, the rest stays.",
        examples="  loader quarantine replay\n  loader quarantine replay --source web",
    )
    sources_option(again)


def rejects(arguments: Arguments) -> int:
    """List rejects, masked unless they are to be shown."""
    config = settings(arguments)
    source = arguments.source and known(config, arguments.source)
    from loader import load as flow  # slow to import, so after all that can be wrong

    found = flow.rejects(config, source=source, table=arguments.in_table, limit=arguments.limit)
    if not arguments.show:
        found = [replace(line, sample=masked(line.sample)) for line in found]
    answer(arguments, found, lambda: rejects_page(found, limit=arguments.limit, shown=arguments.show))
    return 0


def quarantine(arguments: Arguments) -> int:
    """List quarantined lines, with their text if they are to be shown."""
    config = settings(arguments)
    source = arguments.source and known(config, arguments.source)
    from loader import load as flow  # slow to import, so after all that can be wrong

    found = flow.quarantine(config, source=source, limit=arguments.limit)
    if arguments.show:
        read = [_shown(line, flow.quarantine_text(config, line)) for line in found]
        answer(arguments, read, lambda: shown_page(read, limit=arguments.limit))
    else:
        answer(arguments, found, lambda: quarantine_page(found, limit=arguments.limit))
    return 0


def replay(arguments: Arguments) -> int:
    """Load what is in the quarantine again."""
    config = settings(arguments)
    names = [*([arguments.source] if arguments.source else []), *arguments.sources]  # before `replay`, or after
    sources = chosen(config, names)
    from loader import load as flow  # slow to import, so after all that can be wrong

    def one(source: str, told: Progress) -> Sequence[LoadResult]:
        return flow.replay_quarantine(config, source, progress=told)

    return each(sources, one, nothing="nothing in the quarantine", json=arguments.json)


def rejects_page(found: Sequence[RejectLine], *, limit: int, shown: bool) -> Page:
    """Tell the rejects, one line a column and reason, then each remedy once."""
    if not found:
        return [Line("no rejects: every value fits its column", "good")]
    rows = tuple(
        (f"{line.table}.{line.column}", line.reason, number(line.count), line.sample, f"{line.file}:{line.line}")
        for line in found
    )
    grid = Grid(("column", "reason", "values", "for example", "first seen"), rows, frozenset({"values"}))
    remedies = dict.fromkeys(line.remedy for line in found if line.remedy)
    return [grid, *_first(len(found), limit), *_hint(shown, "values"), *(f"next: {remedy}" for remedy in remedies)]


def quarantine_page(found: Sequence[QuarantineLine], *, limit: int) -> Page:
    """Tell the quarantined lines, without what is in them."""
    if not found:
        return [Line("nothing in the quarantine", "good")]
    rows = tuple(
        (line.source, _place(line.file, line.line), line.reason, when(line.at), line.load_id) for line in found
    )
    grid = Grid(("source", "where", "reason", "when (UTC)", "load"), rows)
    again = "next: `loader quarantine replay` tries them again, after a fix"
    return [grid, *_first(len(found), limit), *_hint(False, "lines"), again]


def shown_page(found: Sequence[ShownLine], *, limit: int) -> Page:
    """Tell the quarantined lines, each followed by its text."""
    if not found:
        return [Line("nothing in the quarantine", "good")]
    page: list[str | Line] = []
    for line in found:
        page.append(Line(f"{line.source}: {_place(line.file, line.line)}: {line.reason}", "strong"))
        missing = "(a whole file)" if not line.line else "(its file is gone, or was rewritten)"
        page.append(f"  {missing if line.text is None else shortened(line.text, LINE_CHARACTERS)}")
    return [*page, *_first(len(found), limit)]


def _shown(line: QuarantineLine, text: str | None) -> ShownLine:
    return ShownLine(line.source, line.load_id, line.file, line.line, line.reason, line.at, text)


def _place(file: str, line: int) -> str:
    return f"{file}:{line}" if line else f"{file} (the whole file)"


def _first(found: int, limit: int) -> Iterator[Line]:
    if found >= limit:
        yield Line(f"  the first {number(found)}; --limit shows more", "faint")


def _hint(shown: bool, things: str) -> Iterator[Line]:
    if not shown:
        yield Line(f"  --show shows the {things} themselves; they may be personal data", "faint")
