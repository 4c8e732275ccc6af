"""Holding a source's lease while a load works on it."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from loader.core.results import Progress
from loader.core.warehouse import Session
from loader.errors import LeaseError, LoaderError
from loader.ledger import leases
from loader.load.edges import Edges, warehouse

_RENEWALS = 3  # per time to live
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Lease:
    """A source held by this process; others see it, and wait or say so."""

    source: str
    token: str
    lost: threading.Event = field(default_factory=threading.Event)

    def check(self, session: Session) -> None:
        """Raise LeaseError if another load has taken over: to be called in the transaction that it guards."""
        found = session.execute("SELECT token FROM loader.leases WHERE source = ?", [self.source])
        if self.lost.is_set() or not found or found[0][0] != self.token:
            raise LeaseError(
                f"source {self.source!r}: the lease of this load ran out and another load took over; "
                "it continues where this one stopped. A longer `lease_ttl` in [load] prevents this"
            )


@contextmanager
def leased(edges: Edges, progress: Progress) -> Iterator[Lease]:
    """Yield the source's lease, renewed until the block ends; waits for another holder as long as `lock_wait` says.

    LeaseError says who holds it.
    """
    lease = Lease(edges.source, uuid.uuid4().hex)
    _acquire(edges, lease, progress)
    stopped = threading.Event()
    keeper = threading.Thread(target=_keep, args=(edges, lease, stopped), daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        stopped.set()
        keeper.join()
        with warehouse(edges.config, staging=edges.staging) as opened, opened.session() as session:
            leases.release(session, edges.source, lease.token)


def _acquire(edges: Edges, lease: Lease, progress: Progress) -> None:
    deadline = time.monotonic() + edges.config.load.lock_wait.total_seconds()
    told = False
    while True:
        with warehouse(edges.config, staging=edges.staging) as opened, opened.session() as session:
            ttl = edges.config.load.lease_ttl
            holder = leases.acquire(session, edges.source, lease.token, now=datetime.now(UTC), ttl=ttl)
        if holder is None:
            return
        if time.monotonic() > deadline:
            raise LeaseError(
                f"source {edges.source!r} is being loaded by {holder}; wait for it, or end it: "
                "the next run continues its load"
            )
        if not told:
            progress.note(f"{edges.source}: waiting for {holder}")
            told = True
        time.sleep(_POLL_SECONDS)


def _keep(edges: Edges, lease: Lease, stopped: threading.Event) -> None:
    ttl = edges.config.load.lease_ttl
    while not stopped.wait(ttl.total_seconds() / _RENEWALS):
        try:
            with warehouse(edges.config, staging=edges.staging) as opened, opened.session() as session:
                if not leases.renew(session, edges.source, lease.token, now=datetime.now(UTC), ttl=ttl):
                    lease.lost.set()
        except LoaderError:
            continue  # someone reads the file: the next renewal comes before the lease ends
