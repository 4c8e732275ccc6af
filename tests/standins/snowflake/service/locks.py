"""Locks on tables, from the first UPDATE, DELETE or MERGE of a transaction until it ends.

Rules: docs.snowflake.com/en/sql-reference/transactions#resource-locking: these wait for one another on a table; INSERT
and COPY do not. Who waits longer than LOCK_TIMEOUT is refused: 12 hours there, seconds here, so that a test ends. A
transaction whose session does nothing (its client was killed) is rolled back once another waits for it: after five
minutes there, after a second here.
"""

import re
import time
from threading import Condition
from typing import Protocol

from standins.snowflake.service.names import PATH, Name
from standins.snowflake.service.refusals import RefusedError

TIMEOUT_SECONDS = 60.0
IDLE_SECONDS = 1.0
_TARGET = re.compile(
    r"\s*(?:update|delete\s+from|merge\s+into|alter\s+table(?:\s+if\s+exists)?|drop\s+table(?:\s+if\s+exists)?"
    rf"|truncate\s+(?:table\s+)?(?:if\s+exists\s+)?)\s+({PATH})",
    re.IGNORECASE,
)


class Holder(Protocol):
    """A session."""

    def abort_idle(self, seconds: float) -> bool:
        """Roll back its transaction if it has done nothing for so long; return whether it did."""


class Locks:
    """Which session holds which table."""

    def __init__(self) -> None:
        self._held: dict[Name, Holder] = {}
        self._changed = Condition()

    def take(self, table: Name, holder: Holder) -> None:
        """Wait for the table, and hold it until `release`. Twice is fine."""
        until = time.monotonic() + TIMEOUT_SECONDS
        while True:
            with self._changed:
                other = self._held.setdefault(table, holder)
                if other is holder:
                    return
                self._changed.wait(0.1)
            if not other.abort_idle(IDLE_SECONDS) and time.monotonic() > until:
                raise RefusedError(625, "57014", f"Statement was aborted: {'.'.join(table)} is locked by another.")

    def release(self, holder: Holder) -> None:
        """Let go of all that it holds."""
        with self._changed:
            self._held = {table: each for table, each in self._held.items() if each is not holder}
            self._changed.notify_all()


def target(sql: str) -> str | None:
    """Return the table that a statement locks, as it is written there."""
    found = _TARGET.match(sql)
    return found[1] if found else None
