"""Locks on tables, from the first UPDATE, DELETE or MERGE of a transaction until it ends.

Rule: docs.snowflake.com/en/sql-reference/transactions#resource-locking: these wait for one another on a table; INSERT
and COPY do not. Snowflake waits LOCK_TIMEOUT (12 hours); here it is seconds, so that a test fails and does not hang.
"""

import re
import time
from threading import Condition

from standins.snowflake.service.names import PATH, Name
from standins.snowflake.service.refusals import RefusedError

TIMEOUT_SECONDS = 30.0
_TARGET = re.compile(
    r"\s*(?:update|delete\s+from|merge\s+into|alter\s+table(?:\s+if\s+exists)?|drop\s+table(?:\s+if\s+exists)?"
    rf"|truncate\s+(?:table\s+)?(?:if\s+exists\s+)?)\s+({PATH})",
    re.IGNORECASE,
)


class Locks:
    """Which session holds which table."""

    def __init__(self) -> None:
        self._held: dict[Name, object] = {}
        self._changed = Condition()

    def take(self, table: Name, holder: object) -> None:
        """Wait for the table, and hold it until `release`. Twice is fine."""
        until = time.monotonic() + TIMEOUT_SECONDS
        with self._changed:
            while self._held.get(table, holder) is not holder:
                if not self._changed.wait(until - time.monotonic()):
                    raise RefusedError(
                        625, "57014", f"Statement was aborted: {'.'.join(table)} is locked by another transaction."
                    )
            self._held[table] = holder

    def release(self, holder: object) -> None:
        """Let go of all that it holds."""
        with self._changed:
            self._held = {table: each for table, each in self._held.items() if each is not holder}
            self._changed.notify_all()


def target(sql: str) -> str | None:
    """Return the table that a statement locks, as it is written there."""
    found = _TARGET.match(sql)
    return found[1] if found else None
