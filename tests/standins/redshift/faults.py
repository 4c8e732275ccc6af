"""Faults on demand: the n-th statement of a kind fails, or loses its connection before or after it was done."""

import re
from dataclasses import dataclass
from threading import Lock


class Cut(Exception):  # noqa: N818 - not an error of a statement: the connection ends without a word
    """The connection is to be cut."""


@dataclass
class Fault:
    """What happens to a statement: an error if there is one, else its connection is cut."""

    statement: str  # a regular expression, from the statement's beginning, any letter case
    nth: int = 1  # of those that match
    after: bool = False  # the work is done, and the answer lost
    error: str = ""
    code: str = "XX000"
    detail: str = ""
    times: int = 1
    seen: int = 0


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = Lock()

    def put(self, fault: Fault) -> Fault:
        """Let a fault happen."""
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._waiting.clear()

    def due(self, statement: str) -> Fault | None:
        """Return the fault for a statement, if there is one."""
        with self._lock:
            for fault in self._waiting:
                if re.match(fault.statement, statement, re.IGNORECASE | re.DOTALL):
                    fault.seen += 1
                    if fault.nth <= fault.seen < fault.nth + fault.times:
                        return fault
        return None
