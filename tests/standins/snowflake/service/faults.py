"""Faults that a test asks for: errors, HTTP statuses and lost connections, before or after a statement took effect.

A fault applies to statements that its pattern matches: `skip` of them pass first, then it strikes `times` times.

    error     the statement is refused with code, state and message
    status    the HTTP status is the answer, and nothing is done (the connector tries again)
    before    the connection closes without effect (the connector tries again)
    after     the statement takes effect, then the connection closes (the connector asks again, and hears the answer)
    lost      the same, and the session never answers again: work may be done, and nobody says so
    dead      the session never answers again, and nothing is done
    stall     nothing is done and nothing is answered, for half a minute: time to kill who asks
    run       another session runs the statement `run` first
    hold      the same as stall, once the statement took effect
"""

import re
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

from standins.snowflake.service.refusals import CutError, RefusedError, UnavailableError


@dataclass
class Fault:
    """One fault, and how often it still strikes."""

    match: str
    act: str
    skip: int = 0
    times: int = 1
    code: int = 0
    state: str = ""
    message: str = "as the test asked"
    status: int = 503
    struck: int = 0
    run: str = ""


@dataclass
class Faults:
    """The faults that wait to strike."""

    waiting: list[Fault] = field(default_factory=list)
    _turn: Lock = field(default_factory=Lock)

    def replace(self, written: list[dict[str, Any]]) -> None:
        """Forget all, and take these."""
        with self._turn:
            self.waiting = [Fault(**each) for each in written]

    def struck(self, sql: str) -> Fault | None:
        """Return the fault that this statement meets, if any."""
        with self._turn:
            for fault in self.waiting:
                if not fault.times or not re.search(fault.match, sql, re.IGNORECASE):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                fault.struck += 1
                return fault
        return None


def strike_before(fault: Fault | None) -> None:
    """Raise what the fault does instead of the statement, if it does."""
    match fault.act if fault else "":
        case "error":
            assert fault is not None
            raise RefusedError(fault.code, fault.state, fault.message)
        case "status":
            assert fault is not None
            raise UnavailableError(fault.status)
        case "before" | "dead":
            raise CutError


def strike_after(fault: Fault | None) -> None:
    """Raise what the fault does after the statement, if it does."""
    if fault and fault.act in ("after", "lost"):
        raise CutError


def stall(fault: Fault | None, act: str, cancelled: Event) -> None:
    """Let nobody have an answer for half a minute, if the fault does this; then, or if it is cancelled, an error.

    To be called outside of locks.
    """
    if fault and fault.act == act:
        if cancelled.wait(30):
            raise RefusedError(604, "57014", "SQL execution canceled")
        raise CutError
