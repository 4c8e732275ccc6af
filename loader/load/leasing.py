"""Holding a source's lease while a load works on it."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from loader.core.results import Progress
from loader.core.warehouse import Session, Warehouse
from loader.errors import LeaseError, LoaderError
from loader.ledger import leases
from loader.load.edges import Edges, connected, warehouse
from loader.load.retrying import retried

T = TypeVar("T")
_RENEWALS = 3  # per time to live
_POLL_SECONDS = 0.5
_INTERRUPTED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Lease:
    """A source held by this process; others see it, and wait or say so."""

    source: str
    token: str
    lost: threading.Event = field(default_factory=threading.Event)
    returned: threading.Event = field(default_factory=threading.Event)

    def check(self, session: Session) -> None:
        """Raise LeaseError if another load has taken over: to be called in the transaction that it guards."""
        guarded = f"SELECT token FROM loader.leases WHERE source = ?{session.dialect.guard}"
        found = session.execute(guarded, [self.source])
        if self.lost.is_set() or not found or found[0][0] != self.token:
            raise self._taken()

    def hold(self, session: Session) -> None:
        """Do so once more, last in the transaction, where a query cannot keep others from taking over meanwhile."""
        if session.dialect.hold and not session.execute(session.dialect.hold, [self.source, self.token])[0][0]:
            raise self._taken()

    def _taken(self) -> LeaseError:
        return LeaseError(
            f"source {self.source!r}: the lease of this load ran out and another load took over; "
            "it continues where this one stopped. A longer `lease_ttl` in [load] prevents this"
        )

    def give_back(self, session: Session) -> None:
        """Let go of the source in this transaction."""
        leases.release(session, self.source, self.token)
        self.returned.set()


Begin = Callable[[Warehouse, Session, Lease], T]


@contextmanager
def leased(edges: Edges, progress: Progress) -> Iterator[Lease]:
    """Yield the source's lease, renewed until the block ends; waits for another holder as long as `lock_wait` says.

    LeaseError says who holds it.
    """
    with leased_to(edges, progress, lambda *_: None) as (lease, _):
        yield lease


@contextmanager
def leased_to(edges: Edges, progress: Progress, begin: Begin[T]) -> Iterator[tuple[Lease, T]]:
    """Yield the source's lease as `leased` does, and what `begin` returned in the transaction that took it.

    So that a load with nothing to do opens the warehouse once: `begin` may give the lease back there.
    """
    lease = Lease(edges.source, uuid.uuid4().hex)
    begun = _acquired(edges, lease, progress, begin)
    stopped = threading.Event()
    keeper = threading.Thread(target=_keep, args=(edges, lease, stopped), daemon=True)
    keeper.start()
    try:
        yield lease, begun
    except BaseException as error:
        stopped.set()
        end = threading.Thread(target=_ended, args=(edges, lease, keeper), daemon=True)
        end.start()
        # Who pressed Ctrl-C does not wait for a server: a lease that nobody renews ends by itself.
        end.join(None if isinstance(error, Exception) else _INTERRUPTED_SECONDS)
        raise
    stopped.set()
    _end(edges, lease, keeper)


def _ended(edges: Edges, lease: Lease, keeper: threading.Thread) -> None:
    """Let go of the source after an error, which is what the user is told, not that this failed too."""
    with suppress(LoaderError):
        _end(edges, lease, keeper)


def _end(edges: Edges, lease: Lease, keeper: threading.Thread) -> None:
    """Let go of the source."""
    keeper.join()
    if not lease.returned.is_set():
        with connected(edges.config, staging=edges.staging) as opened:
            retried(partial(_released, opened, lease))


def _acquired(edges: Edges, lease: Lease, progress: Progress, begin: Begin[T]) -> T:
    deadline = time.monotonic() + edges.config.load.lock_wait.total_seconds()
    told = False
    while True:
        holder, begun = retried(partial(_asked, edges, lease, begin))  # twice is fine: the token is the same
        if holder is None:
            return begun[0]
        if time.monotonic() > deadline:
            raise LeaseError(
                f"source {edges.source!r} is being loaded by {holder}; wait for it, or end it: "
                "the next run continues its load"
            )
        if not told:
            progress.note(f"{edges.source}: waiting for {holder}")
            told = True
        time.sleep(_POLL_SECONDS)


def _asked(edges: Edges, lease: Lease, begin: Begin[T]) -> tuple[str | None, list[T]]:
    """Return who holds the source, or None and what `begin` returned."""
    ttl = edges.config.load.lease_ttl
    with warehouse(edges.config, staging=edges.staging) as opened, opened.session() as session:
        holder = leases.acquire(session, edges.source, lease.token, now=datetime.now(UTC), ttl=ttl)
        return holder, [begin(opened, session, lease)] if holder is None else []


def _released(opened: Warehouse, lease: Lease) -> None:
    with opened.session() as session:
        lease.give_back(session)


def _keep(edges: Edges, lease: Lease, stopped: threading.Event) -> None:
    ttl = edges.config.load.lease_ttl
    while not stopped.wait(ttl.total_seconds() / _RENEWALS):
        try:
            with connected(edges.config, staging=edges.staging) as opened, opened.session() as session:
                if not leases.renew(session, edges.source, lease.token, now=datetime.now(UTC), ttl=ttl):
                    lease.lost.set()
        except LoaderError:
            continue  # someone reads the file: the next renewal comes before the lease ends
