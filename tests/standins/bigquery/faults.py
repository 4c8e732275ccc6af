"""Faults to order: a call that fails, or whose answer is lost before or after it had its effect."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from standins.bigquery.answers import LostError, RefusalError

Answer = tuple[int, Any, dict[str, str]]


@dataclass
class Fault:
    """What is to go wrong, with the calls whose first line or body match."""

    pattern: str  # searched in `METHOD /path?query` + newline + body
    kind: Literal["refuse", "cut before", "cut after"]
    times: int = 1
    skip: int = 0  # calls that match and are let through first
    status: int = 503
    reason: str = "backendError"
    message: str = "ordered by a test"
    met: int = 0


@dataclass
class Faults:
    """The faults that wait for their calls."""

    waiting: list[Fault] = field(default_factory=list)

    def add(self, pattern: str, kind: Literal["refuse", "cut before", "cut after"], **how: Any) -> Fault:
        """Order a fault; `met` counts how often it has happened."""
        self.waiting.append(Fault(pattern, kind, **how))
        return self.waiting[-1]

    def around(self, line: str, body: bytes, call: Callable[[], Answer]) -> Answer:
        """Make a call, or what a fault makes of it."""
        fault = self._due(line, body)
        if fault is None:
            return call()
        fault.met += 1
        if fault.kind == "refuse":
            raise RefusalError(fault.status, fault.reason, fault.message)
        if fault.kind == "cut after":
            call()
        raise LostError

    def _due(self, line: str, body: bytes) -> Fault | None:
        text = f"{line}\n{body[:20_000].decode('utf-8', 'replace')}"
        for fault in self.waiting:
            if fault.met < fault.times and re.search(fault.pattern, text):
                if fault.skip:
                    fault.skip -= 1
                    continue
                return fault
        return None
