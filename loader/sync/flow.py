"""The reverse flow: an audience is kept equal in a tool, row by row.

    lease → settle what an earlier run left → plan → guard → remove → add and change → jobs → finish

The plan is frozen in the warehouse before the first request, and a row is done when the log has it. A run killed at any
instant is found by the next one: what the log has not, is sent again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from loader.config import Config
from loader.core.destination import Ended
from loader.core.results import Progress
from loader.core.sync_results import SyncPlan, SyncResult
from loader.core.warehouse import Session
from loader.delivery.exchange import Exchange
from loader.errors import ConfigError, DestinationError
from loader.ledger import syncs as ledger
from loader.sync.edges import Edges, exchange, open_edges
from loader.sync.leasing import leased
from loader.sync.log import Log
from loader.sync.planning import OTHERS, REMOVALS, Frozen, Wanted, first_sync, frozen, table
from loader.sync.polling import polled
from loader.sync.preview import told
from loader.sync.sending import Sending, resolve_unfinished
from loader.sync.state import result

_MAX_AGE = timedelta(hours=24)  # of a plan that an earlier run left


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is to be carried out."""

    line: ledger.RunLine
    resumed: bool
    began: float  # monotonic


def sync(
    config: Config, name: str, *, resync: bool, approve: str | None, retry: str | None, progress: Progress
) -> list[SyncResult]:
    """Bring the tool up to date with the audience; return what each run did, an unfinished earlier one first.

    Called twice, the second call sends nothing. `approve` runs the plan of that run as it was shown.
    LeaseError says who is in the way; ConfigError what is wrong with the audience.
    """
    edges, results = open_edges(config, name), list[SyncResult]()
    with leased(edges, progress):
        for run in _left(edges):
            results.append(_carried_out(edges, run, progress))
        _settle_jobs(edges, progress)
        if approve is not None:
            results.append(_carried_out(edges, _approved(edges, approve), progress))
            return results
        progress.step(f"{name}: planning", total=None, unit="rows")
        plan = edges.door.run(lambda inside: frozen(inside, edges, Wanted(resync, retry)))
        line = edges.door.run(lambda inside: ledger.run(inside, plan.run_id))
        assert line is not None, "the run was written just now"
        for note in plan.notes:
            progress.note(f"{name}: {note}")
        run = Run(line, False, time.monotonic())
        results.append(_result(edges, run) if plan.state == "needs_approval" else _carried_out(edges, run, progress))
    return results


def dry_run(config: Config, name: str, *, resync: bool, retry: str | None, full: bool, progress: Progress) -> SyncPlan:
    """Plan, freeze the plan, and tell it; nothing is sent. `approve` runs it later, as it is, until a newer is made.

    With `full` every row is encoded, so that rejects and requests are exact.
    """
    edges = open_edges(config, name)
    with leased(edges, progress):
        progress.step(f"{name}: planning", total=None, unit="rows")
        plan: Frozen = edges.door.run(lambda inside: frozen(inside, edges, Wanted(resync, retry)))
        return told(edges, plan, full=full, progress=progress)


def _left(edges: Edges) -> list[Run]:
    """Return the runs that an earlier process left in the middle. A plan that is old, or of another mapping, ends."""
    found, now = list[Run](), datetime.now(UTC)
    why = "its process ended, and its plan is too old to go on with"
    for line in reversed(edges.door.run(lambda inside: ledger.runs(inside, sync=edges.name, states=("sending",)))):
        if line.mapping == edges.mapping and now - line.planned_at < _MAX_AGE:
            found.append(Run(line, True, time.monotonic()))
        else:
            edges.door.run(partial(_closed, edges=edges, run_id=line.run_id, state="failed", error=why))
    return found


def _approved(edges: Edges, run_id: str) -> Run:
    line = edges.door.run(lambda inside: ledger.run(inside, run_id))
    if line is None or line.sync != edges.name or line.state not in ("planned", "needs_approval"):
        state = "is not there" if line is None or line.sync != edges.name else f"is {line.state}"
        raise ConfigError(f"{edges.name}: run {run_id!r} {state}; only the latest plan of a sync can be approved")
    if line.mapping != edges.mapping:
        raise ConfigError(f"{edges.name}: the mapping has changed since run {run_id} was planned; plan it again")
    return Run(line, False, time.monotonic())


def _carried_out(edges: Edges, run: Run, progress: Progress) -> SyncResult:
    """Send the plan of a run to its end, or as far as the tool takes it."""
    run_id, log = run.line.run_id, Log(edges, run.line.run_id)
    edges.door.run(lambda inside: ledger.move(inside, run_id, "sending", started_at=datetime.now(UTC)))
    first = first_sync(edges)
    if run.resumed:
        progress.note(f"{edges.name}: run {run_id} continues")
        resolve_unfinished(edges, log)
    error = None
    with exchange(edges.endpoint) as spoken:
        try:
            _sent(edges, run, log, spoken, progress, first=first)
        except DestinationError as problem:
            error = str(problem)
        requests = spoken.requests
    _ended(edges, run_id, error, requests)
    return _result(edges, run)


def _sent(edges: Edges, run: Run, log: Log, spoken: Exchange, progress: Progress, *, first: str) -> None:
    """Send what is planned, and wait for the tool's jobs. Raises DestinationError where the tool takes nothing."""
    counts = run.line.counts
    rows = counts["adds"] + counts["changes"] + counts["removes"] + counts["replaces"]
    progress.step(f"{edges.name}: sending to {edges.sync.destination}", total=rows, unit="rows")
    sending = Sending(edges, log, spoken, progress, resumed=run.resumed, rows=rows, adopts=first == "adopt")
    if first == "baseline_only":
        sending.baseline()
    elif rows:
        with _stopping(log):
            spoken.login()
            for phase in (REMOVALS, OTHERS):
                sending.phase(phase)
                polled(edges, spoken, progress, wait_seconds=edges.sync.job_wait.total_seconds())
            _finish(edges, spoken, run.line.run_id)


@contextmanager
def _stopping(log: Log) -> Iterator[None]:
    """Whatever ends the block, what is noted is written."""
    try:
        yield
    finally:
        log.flush()


def _finish(edges: Edges, spoken: Exchange, run_id: str) -> None:
    finish = edges.tool.finish
    if finish is None:
        return
    stored = edges.door.run(lambda inside: ledger.stored(inside, run_id))
    ended = Ended(edges.name, run_id, stored)
    spoken.run(lambda account: finish(account, ended))


def _settle_jobs(edges: Edges, progress: Progress) -> None:
    """Ask for the jobs that earlier runs left, and bring the ledger up to date with what they say."""
    waiting = edges.door.run(lambda inside: ledger.open_jobs(inside, edges.name))
    if not waiting:
        return
    with exchange(edges.endpoint) as spoken:
        spoken.login()
        runs = polled(edges, spoken, progress, wait_seconds=edges.sync.job_wait.total_seconds())
    for run_id in runs:
        _ended(edges, run_id, None, 0)


def _ended(edges: Edges, run_id: str, error: str | None, requests: int) -> None:
    """Write how a run ended, and bring the ledger up to date. Twice is the same as once."""

    def write(inside: Session) -> None:
        sums = ledger.sums(inside, run_id)
        undone = sums.get("retry", 0) + sums.get("unknown", 0)
        done = sums.get("confirmed", 0) + sums.get("removed", 0)
        state = "waiting" if sums.get("sent") else "partial" if undone or error else "success"
        if error and not done:
            state = "failed"
        _closed(inside, edges, run_id, state, error, requests=before + requests, **_states(sums))

    line = edges.door.run(lambda inside: ledger.run(inside, run_id))
    before = line.counts["requests"] if line else 0
    edges.door.run(write)


def _states(sums: dict[str, int]) -> dict[str, int]:
    names = {"confirmed": "confirmed", "removed": "removed", "rejected": "rejected", "unknown": "unknown"}
    return {
        **{name: sums.get(state, 0) for name, state in names.items()},
        "failed": sums.get("retry", 0),
        "open": sums.get("sent", 0),
    }


def _closed(inside: Session, edges: Edges, run_id: str, state: str, error: str | None, **values: object) -> None:
    ledger.fold(inside, edges.name, run_id, max_attempts=edges.sync.max_attempts)
    ledger.move(inside, run_id, state, error=error, finished_at=datetime.now(UTC), **values)
    inside.execute(f"DROP TABLE IF EXISTS {table(run_id)}")


def _result(edges: Edges, run: Run) -> SyncResult:
    seconds = time.monotonic() - run.began
    return edges.door.run(lambda inside: result(inside, run.line.run_id, resumed=run.resumed, seconds=seconds))
