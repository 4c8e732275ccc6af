"""What statements cost, as Redshift has written it down itself, on clusters and on serverless workgroups.

SYS_QUERY_HISTORY has a row per statement and shows a user its own; SYS_QUERY_DETAIL has the bytes that each step read
(SYS_QUERY_HISTORY.html and SYS_QUERY_DETAIL.html, read 2026-11-22). Every statement of ours begins with a comment by
which it is found there. A row may come seconds after its statement: what has none yet keeps what we measured.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count

from loader.core.cost import Cost
from loader.core.warehouse import Row
from loader.errors import WarehouseError
from loader.warehouses.redshift.driver import Link

_MARGIN_SECONDS = 86_400  # the times there are in the session's zone, as they are for GETDATE
_MARK = re.compile(r"/\* loader (\w+-\d+) \*/")
_ASKED = """SELECT LEFT(h.query_text, 64), h.elapsed_time, d.scanned FROM sys_query_history AS h
LEFT JOIN (
  SELECT query_id, SUM(input_bytes) AS scanned FROM sys_query_detail
  WHERE TRIM(metrics_level) = 'step' AND TRIM(step_name) = 'scan'
  AND start_time > DATEADD(second, -{seconds}, GETDATE()) GROUP BY query_id
) AS d ON d.query_id = h.query_id
WHERE h.start_time > DATEADD(second, -{seconds}, GETDATE()) AND h.query_text LIKE '%loader {token}-%'
AND TRIM(h.status) = 'success'"""


class History:
    """The marks of one process's statements, and what Redshift knows of them."""

    def __init__(self) -> None:
        self._token = uuid.uuid4().hex[:12]
        self.marks: Iterator[str] = map(f"{self._token}-{{}}".format, count())  # threads may share it

    def of(self, link: Link, *, seconds: float) -> Mapping[str, Cost]:
        """Return mark → cost of the statements of the last seconds; none where the views cannot be read."""
        found: list[Row] = []
        with suppress(WarehouseError):
            found = link.run(_ASKED.format(token=self._token, seconds=int(seconds) + _MARGIN_SECONDS))
        costs: dict[str, Cost] = {}
        for text, microseconds, scanned in found:
            if mark := _MARK.search(text):
                cost = Cost(1, None if scanned is None else int(scanned), int(microseconds or 0) / 1e6)
                costs[mark[1]] = costs.get(mark[1], Cost()).plus(cost)
        return costs
