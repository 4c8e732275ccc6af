"""`loader plan`: what a load would do, without touching the warehouse."""

from collections import Counter
from collections.abc import Iterator

from loader.commands.arguments import Arguments, Commands, command, sources_option, window, window_options
from loader.commands.output import answer_json, show
from loader.commands.page import Grid, Line, Page
from loader.commands.progress import progress
from loader.commands.settings import chosen, settings
from loader.commands.words import amount, number, size
from loader.core.results import PlannedChange, PlanResult

SHOWN = 20  # of a list that can be long
TEXT = """\
Read the new files and say what a load would do: events per table, tables and columns to create, types to
widen, names that change, lines and values that would be set aside. Nothing is written anywhere."""
EXAMPLES = """\
  loader plan
  loader plan --source web --from 2026-01-31 --to 2026-02-01
  loader plan --json | jq '.[].changes'"""


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = command(
        commands, "plan", plan, summary="say what a load would do, and do nothing", text=TEXT, examples=EXAMPLES
    )
    sources_option(parser)
    window_options(parser)


def plan(arguments: Arguments) -> int:
    """Plan each source; as text each is told when it is known."""
    config, asked = settings(arguments), window(arguments)
    sources = chosen(config, arguments.sources)
    from loader import load as flow  # slow to import, so after all that can be wrong

    plans: list[PlanResult] = []
    for source in sources:
        with progress() as told:
            plans.append(flow.plan(config, source, window=asked, progress=told))
        if not arguments.json:
            show(plan_page(plans[-1]))
    if arguments.json:
        answer_json(plans)
    return 0


def plan_page(found: PlanResult) -> Page:
    """Tell the plan of one source; long lists are cut, and say so."""
    if not found.files:
        return [f"{found.source}: nothing to load", *_problems(found)]
    total = f"{amount(found.files, 'file')}, {size(found.stored_bytes)}, {amount(found.events, 'event')}"
    return [
        Line(f"{found.source}: {total}, in {amount(found.loads, 'load')}", "strong"),
        *_tables(found),
        *_changes(found),
        *_renamed(found),
        *_set_aside(found),
        *_problems(found),
        "next: `loader load`",
    ]


def rest(shown: int, total: int, noun: str, where: str) -> Iterator[Line]:
    """Yield a line that says how much of a list was left out; nothing if all of it was shown."""
    if total > shown:
        yield Line(f"  … and {amount(total - shown, f'more {noun}', f'more {noun}s')}; {where}", "faint")


def _tables(found: PlanResult) -> Iterator[Grid | Line]:
    created = {change.table for change in found.changes if change.kind == "create"}
    columns = Counter(change.table for change in found.changes if change.kind == "add")
    tables = sorted(found.tables, key=lambda table: (-table[1], table[0]))
    rows = tuple(
        (
            *(table, number(events), number(columns[table])),
            Line("create", "good") if table in created else Line("extend" if columns[table] else "", "good"),
        )
        for table, events in tables[:SHOWN]
    )
    if rows:
        yield Grid(("table", "events", "new columns", "change"), rows, frozenset({"events", "new columns"}))
    yield from rest(SHOWN, len(tables), "table", "`loader plan --json` lists all")


def _changes(found: PlanResult) -> Iterator[str | Grid | Line]:
    """Tell the changes to tables that exist, each with its cause."""
    created = {change.table for change in found.changes if change.kind == "create"}
    changes = [change for change in found.changes if change.table not in created]
    changes.sort(key=lambda change: change.kind != "widen")
    if changes:
        yield f"changes to existing tables: {number(len(changes))}"
        rows = tuple(map(_change, changes[:SHOWN]))
        yield Grid(("change", "column", "type", "because of"), rows)
    yield from rest(SHOWN, len(changes), "change", "`loader plan --json` lists all")


def _change(change: PlannedChange) -> tuple[str, ...]:
    column = f"{change.table}.{change.column}" if change.column else change.table
    return change.kind, column, change.type or "", change.cause


def _renamed(found: PlanResult) -> Iterator[str | Grid | Line]:
    if found.renamed:
        yield f"names that change: {number(len(found.renamed))}"
        yield Grid(("table", "sent as", "column"), tuple(found.renamed[:SHOWN]))
    yield from rest(SHOWN, len(found.renamed), "name", "`loader plan --json` lists all")


def _set_aside(found: PlanResult) -> Iterator[str]:
    if found.quarantined:
        reasons = ", ".join(f"{number(lines)} {reason}" for reason, lines in found.quarantined)
        yield f"lines for the quarantine: {reasons}"
    if found.rejects:
        yield f"values that fit no column, for the rejects: {number(found.rejects)}"


def _problems(found: PlanResult) -> Iterator[Line]:
    for problem in found.problems:
        yield Line(f"problem: {problem}", "bad")
