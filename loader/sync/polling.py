"""Jobs that a tool works on: asked for until they are done, also by a later process."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from loader.core.audience import Batch, Failed, Halve, Job, Member, Mode, Op, Outcome
from loader.core.results import Progress
from loader.core.warehouse import Row
from loader.delivery.delivering import complete
from loader.delivery.exchange import Exchange, MissingError, RefusedError, UnavailableError
from loader.errors import AnswerError
from loader.ledger import syncs as ledger
from loader.sync.edges import Edges
from loader.sync.log import Log
from loader.sync.sending import place_of

_EXPIRES = timedelta(hours=24)  # a job that is not done by then never will be
_LEAST_SECONDS, _MOST_SECONDS = 0.02, 60.0
_OPS = {"replace": Op.REMOVE}


def polled(edges: Edges, exchange: Exchange, progress: Progress, *, wait_seconds: float) -> set[str]:
    """Ask for the sync's open jobs until all are done or the time is over; return the runs they belong to."""
    deadline, runs, told = time.monotonic() + wait_seconds, set[str](), False
    due: dict[str, float] = {}
    while True:
        jobs = edges.door.run(lambda inside: ledger.open_jobs(inside, edges.name))
        runs |= {job[1] for job in jobs}
        if not jobs:
            return runs
        if not told:
            progress.note(f"{edges.name}: waiting for {len(jobs)} jobs of {edges.tool.title}")
            told = True
        for job in jobs:
            if time.monotonic() >= due.get(job[0], 0.0):
                due[job[0]] = time.monotonic() + _asked(edges, exchange, job)
        pause = min(due.values()) - time.monotonic()
        if time.monotonic() + pause > deadline:
            return runs
        edges.door.close()
        time.sleep(max(pause, 0.0))


def _asked(edges: Edges, exchange: Exchange, job: Row) -> float:
    """Ask for one job; return the seconds after which to ask again, if it is not done."""
    name, run_id, remote_job, notes, mode, key, begun_at, _ = job
    entries = edges.door.run(lambda inside: ledger.job_rows(inside, run_id, name))
    members = tuple(
        Member(
            each["row_key"],
            _OPS.get(each["op"]) or Op(each["op"]),
            json.loads(each["idents"] or "{}"),
            each["version"],
            each["remote_id"],
        )
        for each in entries
    )
    batch = Batch(members, Mode(mode), edges.name, run_id, int(time.time()), key)
    found = _result(edges, exchange, Job(remote_job, json.loads(notes)), batch, begun_at)
    if isinstance(found, Job):
        seconds = _pause(edges, found)
        again, at = found, datetime.now(UTC) + timedelta(seconds=seconds)
        edges.door.run(lambda inside: ledger.wait_job(inside, name, again.id, again.notes, at))
        return seconds
    log, places = Log(edges, run_id), {each["row_key"]: place_of(each) for each in entries}
    for outcome in found:
        log.settled(places[outcome.key], outcome, job=name)
    log.flush()
    edges.door.run(lambda inside: ledger.end_job(inside, name))
    return 0.0


def _pause(edges: Edges, job: Job) -> float:
    own = edges.endpoint.common.poll
    asked = job.check_after_seconds if own is None else own.total_seconds()
    return min(max(asked, _LEAST_SECONDS), _MOST_SECONDS)


def _result(edges: Edges, exchange: Exchange, job: Job, batch: Batch, begun_at: datetime) -> Job | list[Outcome]:
    poll = edges.tool.poll
    if poll is None or not batch.members:
        return _failed(batch, "no_poll", "this kind of job cannot be asked for")
    expired = datetime.now(UTC) - begun_at > _EXPIRES
    try:
        found = exchange.run(lambda account: poll(account, job, batch))
    except RefusedError as error:
        return _failed(batch, error.code, str(error))
    except MissingError as error:  # else every later run would ask for it, and end there
        return _failed(batch, "job_lost", str(error))
    except (UnavailableError, AnswerError) as error:
        return _failed(batch, "job_expired", str(error)) if expired else replace(job, check_after_seconds=_MOST_SECONDS)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        return _failed(batch, "strange_answer", f"the answer has not the form it should have ({type(error).__name__})")
    match found:
        case Job():
            return _failed(batch, "job_expired", "the tool did not end its job in a day") if expired else found
        case Halve(code, message, known):
            rest = [member for member in batch.members if member.key not in {each.key for each in known}]
            return complete(batch, [*known, *(Failed(member.key, code, message) for member in rest)])
    return complete(batch, found)


def _failed(batch: Batch, code: str, message: str) -> list[Outcome]:
    return [Failed(member.key, code, message) for member in batch.members]
