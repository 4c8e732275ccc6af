"""How syncs are told to a person: plans, runs, rows, rehearsals."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from loader.commands.page import Grid, Line, Page
from loader.commands.words import amount, duration, number, rate, when
from loader.core.sync_results import Reason, RunReport, SyncLine, SyncPlan, SyncResult

if TYPE_CHECKING:
    from loader.sync.rehearsing import Rehearsal

_PREVIEW_CHARACTERS = 300
_WHY = {
    "new": "new in the audience",
    "changed": "changed",
    "retry": "again: did not arrive last time",
    "again": "again: asked for, or due for a refresh",
    "left": "left the audience",
}


def plan_page(plan: SyncPlan) -> Page:
    """Tell what a run would do."""
    return [
        Line(f"{plan.sync}: plan {plan.run_id} to {plan.destination}, mode {plan.mode}; nothing was sent", "strong"),
        f"  audience    {amount(plan.audience_rows, 'row')}",
        f"  adds        {number(plan.adds)}",
        f"  changes     {number(plan.changes)}, {number(plan.replaces)} of them with another identifier",
        f"  removes     {number(plan.removes)}",
        *_left_out(plan),
        f"  requests    {number(plan.requests)}, about {duration(plan.seconds)} at the tool's pace",
        *(f"  {_WHY.get(why, why)}: {number(rows)}" for why, rows in plan.why.items()),
        *(Line(f"  note: {note}", "bad") for note in plan.notes),
        *_previews(plan),
        f"  next: `loader sync {plan.sync} --approve {plan.run_id}` runs this plan as it is",
    ]


def _left_out(plan: SyncPlan) -> Iterator[str | Line]:
    left_out = {**plan.invalid, "suppressed": plan.suppressed, "held_out": plan.held_out, "set_aside": plan.skipped}
    told = [f"{number(rows)} {why}" for why, rows in left_out.items() if rows]
    if told:
        yield f"  left out    {', '.join(told)}"
    if plan.rejects is None:
        yield "  rejects     not counted; --full encodes every row"
    else:
        rejects = ", ".join(f"{number(rows)} {code}" for code, rows in sorted(plan.rejects.items())) or "none"
        yield Line(f"  rejects     {rejects}", "bad" if plan.rejects else "plain")


def _previews(plan: SyncPlan) -> Iterator[str]:
    for each in plan.previews:
        text = json.dumps(each.payload, ensure_ascii=False, default=str)[:_PREVIEW_CHARACTERS]
        yield f"  {each.op:<8}{text}"


def result_page(result: SyncResult) -> Page:
    """Tell one run: what arrived, what did not and why, and what to run next."""
    return [_heading(result), *_counts(result), *_reasons(result), *_next(result)]


def _heading(result: SyncResult) -> Line:
    continued = " (continued)" if result.resumed else ""
    done = result.confirmed + result.removed
    speed = f", {rate(done, result.seconds):,.0f} rows/s" if done else ""
    text = f"{result.sync}: run {result.run_id}{continued}: {result.state} in {duration(result.seconds)}{speed}"
    return Line(text, "good" if result.well else "bad")


def _counts(result: SyncResult) -> Iterator[str | Line]:
    if result.error:
        yield Line(f"  problem: {result.error}", "bad")
    planned = result.adds + result.changes + result.removes
    yield f"  audience    {amount(result.audience_rows, 'row')}"
    yield (
        f"  planned     {number(planned)} = {number(result.adds)} adds + {number(result.changes)} changes"
        f" + {number(result.removes)} removes"
    )
    if planned:
        arrived = f"{number(result.confirmed)} confirmed, {number(result.removed)} removed"
        yield f"  arrived     {arrived}, {amount(result.requests, 'request')}"
    states = {
        "rejected": result.rejected,
        "to be sent again": result.failed,
        "unknown": result.unknown,
        "in a job of the tool": result.open,
        "invalid": result.invalid,
        "suppressed": result.suppressed,
        "held out": result.held_out,
        "set aside before": result.skipped,
    }
    told = [f"{number(rows)} {state}" for state, rows in states.items() if rows]
    if told:
        yield f"  not sent    {', '.join(told)}"


def _reasons(result: SyncResult) -> Iterator[Grid]:
    if result.reasons:
        headings = ("state", "code", "rows", "for example", "because")
        yield Grid(headings, tuple(map(_reason, result.reasons)), frozenset({"rows"}))


def _reason(each: Reason) -> tuple[str, ...]:
    return each.state, each.code, number(each.rows), each.key, each.message[:80]


def _next(result: SyncResult) -> Iterator[str]:
    if result.state == "needs_approval":
        yield f"  next: `loader sync {result.sync} --approve {result.run_id}` runs it all the same"
    if result.unknown:
        yield f"  next: look into the tool; `loader sync {result.sync} --retry unknown` sends those rows again"
    if result.rejected:
        yield f"  next: `loader sync show {result.run_id}` names the rows; they wait until they change"
    if result.state in ("partial", "failed"):
        yield "  next: run the same command again; what has arrived is not sent twice"
    if result.state == "waiting":
        yield "  next: run the same command later; it asks the tool how its job is"


def report_page(report: RunReport) -> Page:
    """Tell a run and its rows, those that did not arrive first."""
    rows = tuple((each.key, each.op, each.state, each.code, each.message[:80]) for each in report.rows)
    ended = f", ended {when(report.finished_at)}" if report.finished_at else ""
    grid = [Grid(("key", "op", "state", "code", "because"), rows)] if rows else []
    return [*result_page(report.run), f"  planned {when(report.planned_at)}{ended} (UTC)", *grid]


def syncs_page(found: list[SyncLine]) -> Page:
    """Tell the syncs."""
    if not found:
        return ["no syncs; add [destinations.NAME] and [syncs.NAME] to loader.toml"]
    headings = ("sync", "destination", "kind", "mode", "rows", "last run", "state", "at (UTC)")
    return [Grid(headings, tuple(map(_sync, found))), *(_busy(each) for each in found if each.lease)]


def _busy(each: SyncLine) -> str:
    return f"{each.sync}: is being run by {each.lease}"


def _sync(each: SyncLine) -> tuple[str | Line, ...]:
    states = ", ".join(f"{number(rows)} {state}" for state, rows in each.states.items()) or "-"
    state = Line(each.last_state or "-", "plain" if each.last_state in (None, "success", "planned") else "bad")
    last = (each.last_run or "-", state, when(each.last_at) if each.last_at else "-")
    return each.sync, each.destination, each.kind, each.mode, states, *last


def rehearsal_page(found: "Rehearsal") -> Page:
    """Tell a rehearsal."""
    return [
        *result_page(found.first),
        f"  again       a second run at once sends {amount(found.second.confirmed + found.second.removed, 'row')}",
        f"  the fake holds {amount(found.held, 'member')} after it, for example",
        *(f"    {json.dumps(each, ensure_ascii=False, default=str)[:_PREVIEW_CHARACTERS]}" for each in found.sample),
        *(f"  {number(times)} × {what}" for what, times in found.requests),
    ]
