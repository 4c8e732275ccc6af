"""What statements cost, as Snowflake's own history has it.

A table function of the information schema, so there is no delay of up to 45 minutes as in ACCOUNT_USAGE; it goes seven
days back, and everyone may see their own statements without a grant
(docs.snowflake.com/en/sql-reference/functions/query_history, read 2026-11-22). The connector tells the id of each
statement, and of what it cost only rows.
"""

from collections.abc import Mapping
from contextlib import suppress

from loader.core.cost import Cost
from loader.core.warehouse import Row
from loader.errors import WarehouseError
from loader.warehouses.snowflake.sessions import Statements

_MARGIN_SECONDS, _MAX_SECONDS = 60, 6 * 86_400
_ASKED = """SELECT query_id, bytes_scanned, total_elapsed_time
FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER(
  END_TIME_RANGE_START => DATEADD('second', -{seconds}, CURRENT_TIMESTAMP()), RESULT_LIMIT => 10000
))"""  # the most that it gives, newest first: what is left out keeps what we measured


def history(statements: Statements, *, seconds: float) -> Mapping[str, Cost]:
    """Return id → cost of this user's statements of the last seconds; nothing where it may not be asked."""
    found: list[Row] = []
    with suppress(WarehouseError):
        found = statements.run(_ASKED.format(seconds=min(int(seconds) + _MARGIN_SECONDS, _MAX_SECONDS)))
    return {name: Cost(1, int(scanned or 0), float(milliseconds) / 1000) for name, scanned, milliseconds in found}
