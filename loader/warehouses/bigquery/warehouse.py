"""An open project: its tables, its transactions, and what is staged for them."""

import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from loader.core.cost import Cost
from loader.core.schema import Column, Tables
from loader.core.staging import Delivery, Staged
from loader.core.types import ColumnType
from loader.core.warehouse import Session, Site
from loader.errors import WarehouseBusyError, WarehouseError
from loader.warehouses.bigquery.dialect import DIALECT
from loader.warehouses.bigquery.jobs import Jobs
from loader.warehouses.bigquery.pace import Pace
from loader.warehouses.bigquery.patience import Patience
from loader.warehouses.bigquery.processes import is_dead
from loader.warehouses.bigquery.session import Transaction, Turns, end
from loader.warehouses.bigquery.shelves import shelves
from loader.warehouses.bigquery.staging import Stage

if TYPE_CHECKING:
    from google.cloud import bigquery

_TYPES = {spelled: kind for kind, spelled in DIALECT.types.items()}
_IDLE_SECONDS = 900  # after which a session of another host's process counts as left behind


class BigQuery:
    """An open project."""

    dialect = DIALECT

    def __init__(self, client: "bigquery.Client", site: Site, labels: Mapping[str, str], threads: int) -> None:
        self._patience = Patience(site.over)
        self._client, self._jobs, self._labels = client, Jobs(client, labels, self._patience), labels
        self._stage = Stage(client, site, labels, self._patience)
        self._idle: list[str] = []  # sessions of BigQuery's that wait for a transaction
        # Transactions that change the same table cancel each other: ours wait for one another instead.
        self._writing = threading.Lock()
        self._mine = threading.local()  # load jobs that a thread waits for
        self._loading = ThreadPoolExecutor(threads, "loader-bigquery")
        self._pace = Pace()
        self._prepared = False

    def describe(self, schema: str) -> Tables:
        """Return the columns of every table of `schema`, in order; a type that is not ours counts as a string."""
        query = (
            f"SELECT table_name, column_name, data_type FROM `{schema}`.INFORMATION_SCHEMA.COLUMNS "
            "ORDER BY table_name, ordinal_position"
        )
        try:
            found = self._jobs.query(query).rows
        except WarehouseError as error:
            if error.fault != "missing":
                raise
            return {}
        tables: dict[str, dict[str, Column]] = {}
        for table, column, spelled in found:
            tables.setdefault(table, {})[column.lower()] = Column(_TYPES.get(spelled, ColumnType.STRING))
        return tables

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a transaction. One at a time of this process writes; the others wait where they begin to."""
        transaction = Transaction(self._jobs, self._idle, Turns(self._wait, self._turn, self._pace.wait))
        try:
            yield transaction
            transaction.commit()
        except WarehouseBusyError as error:
            transaction.rollback()
            if "concurrent" in str(error):
                self._end_abandoned()
            raise
        except Exception:
            transaction.rollback()
            raise
        except BaseException:
            self._patience.end()  # of whoever interrupts us
            transaction.rollback()
            raise
        finally:
            if getattr(self._mine, "writes", False):
                self._mine.writes = False
                self._writing.release()

    @contextmanager
    def staged(self, delivery: Delivery) -> Iterator[list[Staged]]:
        """Yield the parts as staging tables. Their load jobs run on; the first statement waits for them.

        Where the block fails they stay: the next try finds them, or `clear` does.
        """
        if not self._prepared:
            self._stage.prepare()
            self._prepared = True
        made = shelves(delivery)
        self._pending.extend(self._loading.submit(self._stage.fill, shelf) for shelf in made)
        yield [shelf.staged for shelf in made]
        self._stage.drop([shelf.table for shelf in made])

    def clear(self, load_id: str) -> None:
        """Drop the staging tables of a load."""
        self._stage.drop(self._stage.tables(load_id))

    def history(self) -> Mapping[str, Cost]:
        """Return nothing: each job has told what it cost."""
        return {}

    def cancel(self) -> None:
        """Do nothing: threads wait only as long as `Site.over` lets them."""

    def close(self) -> None:
        """End what is idle."""
        self._loading.shutdown(cancel_futures=True)
        while self._idle:
            end(self._jobs, self._idle.pop())
        client: Any = self._client  # its `close` has no types
        client.close()

    @property
    def _pending(self) -> list[Future[None]]:
        if not hasattr(self._mine, "pending"):
            self._mine.pending = []
        found: list[Future[None]] = self._mine.pending
        return found

    def _wait(self) -> None:
        """Wait for the load jobs of this thread; raise the first error."""
        pending, self._mine.pending = self._pending, []
        errors = [error for each in pending if (error := each.exception())]
        if errors:
            raise errors[0]

    def _turn(self) -> None:
        if not getattr(self._mine, "writes", False):  # it may begin again, after DDL
            self._writing.acquire()
            self._mine.writes = True

    def _end_abandoned(self) -> None:
        """End the sessions of dead processes, and of those that were silent for long: they keep tables closed."""
        view = f"`region-{str(self._client.location).lower()}`.INFORMATION_SCHEMA.JOBS_BY_USER"
        try:
            found = self._jobs.query(
                "SELECT session_info.session_id, TO_JSON_STRING(labels), "
                f"MAX(creation_time) < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {_IDLE_SECONDS} SECOND) "
                f"FROM {view} AS j WHERE creation_time > TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY) "
                "AND session_info.session_id IS NOT NULL GROUP BY 1, 2 HAVING LOGICAL_AND(state = 'DONE')"
            ).rows
        except WarehouseError:
            return  # may this account not list its jobs, the other sessions end by themselves, in a day
        for session_id, labels, silent in found:
            sent_by = {each["key"]: each["value"] for each in json.loads(labels or "[]")}
            ours = self._labels.keys() <= sent_by.keys()
            if ours and sent_by.items() >= self._labels.items():
                continue
            if ours and (silent or is_dead(sent_by)):
                end(self._jobs, session_id)
