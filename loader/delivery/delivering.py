"""A batch, delivered: every member ends with exactly one outcome, or the tool has a job.

A batch that is refused as a whole is halved until the bad members stand alone. That costs requests, so there is a
budget; and where everybody stands alone and is refused, it is no row that is wrong.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from loader.core.audience import Accepted, Batch, Failed, Halve, Job, Member, Outcome, Rejected, Unknown
from loader.core.batches import batch_key
from loader.core.destination import Destination, Resend
from loader.core.masking import masked
from loader.delivery.exchange import Exchange, RefusedError, UnavailableError
from loader.errors import AnswerError, DestinationError

_HOPELESS = 20  # members refused one by one, and none accepted so far


@dataclass(frozen=True, slots=True)
class Working:
    """Members whose fate a job decides."""

    job: Job
    batch: Batch


Delivered = tuple[list[Outcome], list[Working]]


@dataclass(slots=True)
class Budget:
    """How many more requests halving may cost in this run, and how it goes so far."""

    halvings: int
    accepted: int = 0
    alone: int = 0  # refused, standing alone
    lock: threading.Lock = field(default_factory=threading.Lock)

    def halve(self) -> bool:
        """Count a halving; return False where none is left."""
        with self.lock:
            self.halvings -= 1
            return self.halvings >= 0

    def refused(self, code: str, message: str) -> None:
        """Count a member refused alone. Raises DestinationError when nobody was ever accepted."""
        with self.lock:
            self.alone += 1
            if self.alone >= _HOPELESS and not self.accepted:
                raise DestinationError(f"the tool refuses row after row and takes none ({code}): {message}")


def delivered(exchange: Exchange, destination: Destination[Any], batch: Batch, budget: Budget) -> Delivered:
    """Deliver a batch; return an outcome for each member that no job decides. Raises DestinationError."""
    batch = replace(batch, at=int(time.time()), key=batch_key(member.version for member in batch.members))
    try:
        result = exchange.run(lambda account: destination.push(account, batch))
    except RefusedError as error:
        return _halved(exchange, destination, batch, budget, Halve(error.code, str(error)))
    except UnavailableError as error:
        return _undone(destination, batch, error.code, str(error), done=error.done), []
    except AnswerError as error:
        return _undone(destination, batch, "not_json", str(error), done=True), []
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        text = f"the answer has not the form that it should have ({type(error).__name__})"
        return _undone(destination, batch, "strange_answer", text, done=True), []
    match result:
        case Job():
            return [], [Working(result, batch)]
        case Halve():
            return _halved(exchange, destination, batch, budget, result)
    outcomes = complete(batch, result)
    with budget.lock:
        budget.accepted += sum(isinstance(each, Accepted) for each in outcomes)
    return outcomes, []


def adopted(exchange: Exchange, destination: Destination[Any], batch: Batch, budget: Budget) -> Delivered:
    """Deliver only whom the tool has not already; where it cannot be read now, all. Raises DestinationError."""
    adopt = destination.adopt
    known: Mapping[str, str] = {}
    with suppress(
        RefusedError, UnavailableError, AnswerError, KeyError, TypeError, IndexError, AttributeError, ValueError
    ):
        known = exchange.run(lambda account: adopt(account, batch)) if adopt else {}
    rest = tuple(member for member in batch.members if member.key not in known)
    outcomes: list[Outcome] = [Accepted(each.key, known[each.key]) for each in batch.members if each.key in known]
    more, working = delivered(exchange, destination, replace(batch, members=rest), budget) if rest else ([], [])
    return outcomes + more, working


def complete(batch: Batch, found: Sequence[Outcome]) -> list[Outcome]:
    """Return exactly one outcome for each member, in order: whom the tool does not name has failed.

    Raises DestinationError for an outcome of somebody else: the destination's file is wrong.
    """
    named = {each.key: each for each in found}
    if strangers := named.keys() - {member.key for member in batch.members}:
        raise DestinationError(f"there are outcomes for {len(strangers)} rows that were not sent: a defect")
    missing = "the tool did not say what became of the row"
    return [_clean(named.get(member.key) or Failed(member.key, "no_answer", missing)) for member in batch.members]


def _clean(outcome: Outcome) -> Outcome:
    return outcome if isinstance(outcome, Accepted) else replace(outcome, message=masked(outcome.message)[:300])


def _halved(exchange: Exchange, destination: Destination[Any], batch: Batch, budget: Budget, why: Halve) -> Delivered:
    known = {each.key: each for each in why.known}
    rest = [member for member in batch.members if member.key not in known]
    outcomes: list[Outcome] = [_clean(each) for each in known.values()]
    if len(rest) == 1 and not known:
        budget.refused(why.code, why.message)
        return [_clean(Rejected(rest[0].key, why.code, why.message))], []
    if not budget.halve():
        text = "the batch was refused, and no requests are left to find out because of whom"
        return [*outcomes, *(Failed(member.key, why.code, text) for member in rest)], []
    working: list[Working] = []
    for part in _halves(rest) if not known else [rest]:
        if part:
            more, jobs = delivered(exchange, destination, replace(batch, members=tuple(part)), budget)
            outcomes += more
            working += jobs
    return outcomes, working


def _halves(members: Sequence[Member]) -> list[Sequence[Member]]:
    middle = len(members) // 2
    return [members[:middle], members[middle:]]


def _undone(destination: Destination[Any], batch: Batch, code: str, message: str, *, done: bool) -> list[Outcome]:
    if done and destination.resend is Resend.UNSAFE:
        return [Unknown(member.key, code, message) for member in batch.members]
    return [Failed(member.key, code, message, whole=True) for member in batch.members]
