"""`loader load`: the main job, and how a finished load is told."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from loader.commands.arguments import Arguments, Commands, command, sources_option, window, window_options
from loader.commands.output import answer_json, complain, show
from loader.commands.page import Grid, Line, Page
from loader.commands.planning import rest
from loader.commands.progress import progress
from loader.commands.settings import chosen, settings
from loader.commands.words import amount, duration, number, rate, size
from loader.core.results import LoadResult, Progress
from loader.errors import ConfigError, LeaseError, StorageError

SHOWN = 10  # of tables, of schema changes and of problems
TEXT = """\
Load the files that are new, in every source, into typed tables. It can be stopped at any time and run again: it
continues where it stood, and no event is ever loaded twice. Exit code 1 says that something needs a look."""
EXAMPLES = """\
  loader load                                  what is new, in every source
  loader load --source web --source app
  loader load --from 2026-01-31 --to 2026-02-01    only what was received on that day
  loader load --from 2026-01-31 --replay       that time again, from the files: what is there stays once
  loader load --json                           for machines"""


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = command(commands, "load", load, summary="load new event files", text=TEXT, examples=EXAMPLES)
    sources_option(parser)
    window_options(parser)
    parser.add_argument(
        "--replay",
        action="store_true",
        help="read files again that are loaded already; with --from, --to or --source",
    )


def load(arguments: Arguments) -> int:
    """Load each source; one that is busy or cannot be read does not stop the others."""
    asked, replay = window(arguments), arguments.replay
    if replay and not (asked.start or asked.stop or arguments.sources):
        raise ConfigError("--replay alone would read everything again; say what with --from, --to or --source")
    config = settings(arguments)
    sources = chosen(config, arguments.sources)
    from loader import load as flow  # slow to import, so after all that can be wrong

    def one(source: str, told: Progress) -> Sequence[LoadResult]:
        return flow.load(config, source, window=asked, replay=replay, progress=told)

    return each(sources, one, nothing="nothing to load", json=arguments.json)


def each(
    sources: Sequence[str], work: Callable[[str, Progress], Sequence[LoadResult]], *, nothing: str, json: bool
) -> int:
    """Do the work for each source and tell its loads; return the exit code.

    As JSON all loads are one document, which is also written when an error ends the work.
    """
    done: list[LoadResult] = []
    unreached = 0
    try:
        for source in sources:
            try:
                with progress() as told:
                    results = work(source, told)
            except (LeaseError, StorageError) as error:
                complain(f"{source}: {error}")
                unreached += 1
                continue
            done += results
            if not json:
                show([block for result in results for block in load_page(result)] or [f"{source}: {nothing}"])
    finally:
        if json:
            answer_json(done)
    return 1 if unreached or any(map(wrong, done)) else 0


def wrong(result: LoadResult) -> bool:
    """Whether the load needs a look: it failed, or not every event is accounted for."""
    return result.failed or not result.conserved


def load_page(result: LoadResult) -> Page:
    """Tell one load: what became of its events, what changed, what is wrong, and what to run next."""
    return [
        _heading(result),
        *_counts(result),
        *_changes(result),
        *_tables(result),
        *_problems(result),
        *_next(result),
    ]


def _heading(result: LoadResult) -> Line:
    what = "replay" if result.replay else "load"
    end = "done" if result.state == "done" and not wrong(result) else f"{result.state}, with problems"
    speed = f"{rate(result.events, result.seconds):,.0f} events/s"
    continued = " (continued)" if result.resumed else ""
    return Line(
        f"{result.source}: {what} {result.load_id}{continued}: {end} in {duration(result.seconds)}, {speed}",
        "bad" if wrong(result) else "good",
    )


def _counts(result: LoadResult) -> Iterator[str | Line]:
    yield f"  files       {number(result.files)}, {size(result.stored_bytes)}, {amount(result.lines, 'line')}"
    yield (
        f"  events      {number(result.events)} = {amount(result.rows, 'row')}"
        f" + {amount(result.duplicates, 'duplicate')} + {number(result.filtered)} filtered"
        f" + {number(result.quarantined)} quarantined"
    )
    if result.conserved:
        yield "  conserved   yes: every event is accounted for"
    else:
        open_yet = "" if result.state == "done" else " yet"
        yield Line(f"  conserved   NO: not every event is accounted for{open_yet}", "bad")
    if result.rejects:
        yield f"  rejects     {amount(result.rejects, 'value')} that no column could hold"
    if result.discarded_values:
        yield f"  discarded   {amount(result.discarded_values, 'value')} of columns that this source does not take"


def _changes(result: LoadResult) -> Iterator[str | Line]:
    if result.changes:
        kinds = Counter(change.partition(" ")[0] for change in result.changes)
        yield f"  schema      {', '.join(f'{number(kinds[kind])} {kind}' for kind in kinds)}"
        yield from (f"    {change}" for change in result.changes[:SHOWN])
    yield from rest(SHOWN, len(result.changes), "change", "all are in the table loader.columns")


def _tables(result: LoadResult) -> Iterator[Grid | Line]:
    tables = sorted(result.tables, key=lambda table: (table.error is None, -table.rows, table.table))
    rows = tuple(
        (
            *(table.table, number(table.rows), number(table.duplicates), duration(table.seconds)),
            Line("FAILED", "bad") if table.error else "",
        )
        for table in tables[:SHOWN]
    )
    if rows:
        yield Grid(("table", "rows", "duplicates", "took", ""), rows, frozenset({"rows", "duplicates", "took"}))
    yield from rest(SHOWN, len(tables), "table", "`loader tables` lists all")


def _problems(result: LoadResult) -> Iterator[Line]:
    said = dict.fromkeys(result.problems)
    for table in result.tables:
        if table.error and not any(table.error in problem for problem in said):
            said[f"{table.table}: {table.error}"] = None
    for problem in list(said)[:SHOWN]:
        yield Line(f"  problem: {problem}", "bad")
    yield from rest(SHOWN, len(said), "problem", "`loader quarantine` lists the files")


def _next(result: LoadResult) -> Iterator[str]:
    if result.state != "done":
        yield "  next: correct what is wrong, then run the same command again; what is loaded stays loaded"
    if result.rejects:
        yield f"  next: `loader rejects --source {result.source}` shows the values that no column could hold"
    if result.quarantined or (result.problems and result.state == "done"):
        yield f"  next: `loader quarantine --source {result.source}` shows the lines and files that could not be read"
