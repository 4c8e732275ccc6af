"""BigQuery on 127.0.0.1: its REST calls over DuckDB, as far as a loader needs them, and as strict as its documentation.

It enforces: load jobs that take a Parquet file's types as they are (nothing is cast; a schema that is given must name
every column), one schema for all files of a job, addresses of objects (one wildcard, one location), dispositions and
schema update options, partition decorators, 4,000 partitions a job, field names, case-insensitive columns; jobs with
ids that are taken for good, errors in their status and states to be polled; sessions, and transactions that conflict
by table and outlive a client that died; DDL not in transactions, types that change only to wider ones; reserved
words, UNION with ALL or DISTINCT, UPDATE and DELETE with WHERE, the types that an INSERT stores, one source row per
target row of a MERGE; five metadata updates of a table in ten seconds, 1,500 modifications a day; labels;
INFORMATION_SCHEMA; expiry of tables; bytes read, by constants on partitions. Each module names its source. Faults can
be ordered: refusals, and connections cut before or after the effect.

It does not prove: GoogleSQL's types in expressions (DuckDB's rules apply), slots and prices (bytes are estimates),
permissions, real latencies, quotas of a project, the wording of messages. Nothing here was compared with the real
service yet: `test_bigquery_conformance.py` says what to compare, and how.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from threading import Thread

from standins.bigquery.catalog import PROJECT
from standins.bigquery.faults import Faults
from standins.bigquery.jobs import Jobs
from standins.bigquery.server import Service, handler
from standins.bigquery.work import Engine

__all__ = ["PROJECT", "Standin", "serve"]


@dataclass(frozen=True)
class Standin:
    """A server that runs."""

    endpoint: str
    service: Service

    @property
    def faults(self) -> Faults:
        """What is to go wrong."""
        return self.service.faults

    @property
    def jobs(self) -> Jobs:
        """What it was asked."""
        return self.service.jobs

    def reset(self) -> None:
        """Forget everything: datasets, jobs, sessions, faults."""
        engine = self.jobs.engine
        with engine.turn:
            for session_id in list(engine.sessions):
                engine.abort(session_id)
            for dataset in list(engine.catalog.datasets):
                engine.catalog.drop_dataset(dataset, contents=True)
            for known in (self.jobs.known, self.jobs.results, self.jobs.waits, self.jobs.modifications, engine.changed):
                known.clear()
            engine.catalog.updates.clear()
            self.faults.waiting.clear()
            self.jobs.failures.clear()
            self.service.requests.clear()
            self.jobs.slow = 0


@contextmanager
def serve(*, storage: str | None = None, location: str = "US", update_seconds: float = 10.0) -> Iterator[Standin]:
    """Yield a server on a free port; `storage` is the endpoint of a Cloud Storage that its load jobs read.

    `update_seconds`: in which a table's metadata may be updated five times. Really ten; who cannot wait says less.
    """
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of what it keeps as it is
    engine = Engine(location)
    engine.catalog.update_seconds = update_seconds
    service = Service(Jobs(engine, storage), Faults())
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(service))
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield Standin(f"http://127.0.0.1:{server.server_port}", service)
    finally:
        server.shutdown()
        server.server_close()
        with engine.turn:
            for work in engine.sessions.values():
                engine.close(work)
        engine.root.close()
