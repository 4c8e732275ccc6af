"""`loader status` and `loader tables`: how the sources stand, and what is in the warehouse."""

from collections.abc import Iterator

from loader.commands.arguments import Arguments, Commands, command
from loader.commands.output import answer
from loader.commands.page import Grid, Line, Page
from loader.commands.settings import settings
from loader.commands.words import amount, duration, number, size, when
from loader.core.results import LoadLine, SourceStatus, Status, TableLine

SHOWN = 10  # loads
MINUTE = len("2026-01-31 05:00")


def add(commands: Commands) -> None:
    """Add the commands to the command line."""
    command(
        commands,
        "status",
        status,
        summary="how the sources stand: loads, lag, failures",
        text="Say for each source how many files wait, how old its newest event is, which loads are not done and who\n"
        "holds its lease; then the latest loads, and whether every event is accounted for.",
        examples="  loader status\n  loader status --json | jq '.unaccounted'",
    )
    parser = command(
        commands,
        "tables",
        tables,
        summary="what is in the warehouse: tables, rows, newest event",
        text="List the tables of every source with their rows and the time of the newest one.",
        examples="  loader tables\n  loader tables --columns",
    )
    parser.add_argument("--columns", action="store_true", help="list the columns of each table too, with their types")


def status(arguments: Arguments) -> int:
    """Tell how everything stands."""
    config = settings(arguments)
    from loader import load as flow  # slow to import, so after all that can be wrong

    found = flow.status(config)
    answer(arguments, found, lambda: status_page(found))
    return 0


def tables(arguments: Arguments) -> int:
    """List the tables."""
    config = settings(arguments)
    from loader import load as flow  # slow to import, so after all that can be wrong

    found = flow.tables(config)
    answer(arguments, found, lambda: tables_page(found, columns=arguments.columns))
    return 0


def status_page(found: Status) -> Page:
    """Tell the sources, what is wrong or open in each, the latest loads, and the balance of events. Times are UTC."""
    headings = ("source", "files waiting", "size", "last load", "newest event", "lag")
    sources = Grid(headings, tuple(map(_source, found.sources)), frozenset({"files waiting", "size", "lag"}))
    return [sources, *_problems(found), *_open(found), *_loads(found), *_balance(found)]


def tables_page(found: list[TableLine], *, columns: bool) -> Page:
    """Tell the tables in the order given, each followed by its columns where they are asked for."""
    if not found:
        return ["no tables yet; `loader load` makes them"]
    if columns:
        return [block for table in found for block in _described(table)]
    rows = tuple(
        (
            f"{table.schema}.{table.table}",
            number(table.rows),
            number(len(table.columns)),
            when(table.newest_received_at),
        )
        for table in found
    )
    total = f"{amount(len(found), 'table')}, {amount(sum(table.rows for table in found), 'row')}"
    return [Grid(("table", "rows", "columns", "newest (UTC)"), rows, frozenset({"rows", "columns"})), total]


def _described(table: TableLine) -> Iterator[Grid | Line]:
    newest = f", newest {when(table.newest_received_at)} UTC" if table.newest_received_at else ""
    yield Line(f"{table.schema}.{table.table}: {amount(table.rows, 'row')}{newest}", "strong")
    yield Grid(("column", "type"), table.columns)


def _source(source: SourceStatus) -> tuple[str, ...]:
    waiting = ("?", "?") if source.problem else (number(source.pending_files), size(source.pending_bytes))
    return (
        *(source.source, *waiting),
        *(when(source.last_load_at)[:MINUTE], when(source.newest_received_at)[:MINUTE]),
        "-" if source.lag_seconds is None else duration(source.lag_seconds),
    )


def _problems(found: Status) -> Iterator[Line]:
    for source in found.sources:
        if source.problem:
            yield Line(f"{source.source}: {source.problem}", "bad")


def _open(found: Status) -> Iterator[str | Line]:
    for source in found.sources:
        if source.lease:
            yield f"{source.source}: a load is at work: {source.lease}"
        for load_id, state, error in source.open_loads:
            why = f": {error}" if error else ""
            yield Line(f"{source.source}: load {load_id} is {state}, not done{why}", "bad" if error else "plain")
    if any(source.open_loads for source in found.sources):
        yield "next: `loader load` continues them; `loader abandon LOAD` gives one up"


def _loads(found: Status) -> Iterator[str | Grid]:
    if not found.loads:
        yield "no loads yet; `loader load` makes the first"
        return
    yield "latest loads, newest first; all times are UTC"
    headings = ("load", "source", "state", "began", "took", "events", "rows", "conserved", "besides the rows")
    yield Grid(headings, tuple(map(_load, found.loads[:SHOWN])), frozenset({"took", "events", "rows"}))


def _load(load: LoadLine) -> tuple[str | Line, ...]:
    took = "-" if load.finished_at is None else duration((load.finished_at - load.created_at).total_seconds())
    conserved = {True: Line("yes", "good"), False: Line("NO", "bad"), None: Line("-")}[load.conserved]
    state = Line(load.state if load.kind == "load" else f"{load.state} ({load.kind})", "bad" if load.error else "plain")
    began, counts = when(load.created_at)[:MINUTE], (number(load.events), number(load.rows))
    return load.load_id, load.source, state, began, took, *counts, conserved, _besides(load)


def _besides(load: LoadLine) -> str:
    counts = {
        "duplicate": load.duplicates,
        "filtered": load.filtered,
        "quarantined": load.quarantined,
        "rejected values": load.rejects,
    }
    return ", ".join(f"{number(count)} {what}" for what, count in counts.items() if count)


def _balance(found: Status) -> Iterator[Line]:
    if found.unaccounted:
        yield Line(f"{amount(found.unaccounted, 'event')} of finished loads NOT accounted for", "bad")
    elif found.loads:
        yield Line(f"all {amount(found.events, 'event')} of finished loads are accounted for", "good")
