"""Holding a sync's lease while a run works on it: two runs of one sync never send at the same time."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from loader.core.results import Progress
from loader.errors import LeaseError, LoaderError
from loader.ledger import leases
from loader.load.edges import warehouse
from loader.sync.edges import Edges

_RENEWALS, _POLL_SECONDS = 3, 0.5


def lease_name(sync: str) -> str:
    """Return the name of a sync's lease; no source has such a name."""
    return f"sync:{sync}"


@contextmanager
def leased(edges: Edges, progress: Progress) -> Iterator[None]:
    """Hold the lease until the block ends, renewed; waits for another holder as long as `lock_wait` says.

    LeaseError says who holds it. A holder that was killed holds nothing.
    """
    name, token, stopped = lease_name(edges.name), uuid.uuid4().hex, threading.Event()
    _acquire(edges, name, token, progress)
    keeper = threading.Thread(target=_keep, args=(edges, name, token, stopped), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stopped.set()
        keeper.join()
        try:
            edges.door.run(lambda inside: leases.release(inside, name, token))
        finally:
            edges.door.close()


def _acquire(edges: Edges, name: str, token: str, progress: Progress) -> None:
    deadline, told = time.monotonic() + edges.config.load.lock_wait.total_seconds(), False
    while True:
        with edges.door.session() as inside:
            ttl = edges.config.load.lease_ttl
            holder = leases.acquire(inside, name, token, now=datetime.now(UTC), ttl=ttl)
        if holder is None:
            return
        edges.door.close()
        if time.monotonic() > deadline:
            raise LeaseError(f"sync {edges.name!r} is being run by {holder}; wait for it: the next run continues it")
        if not told:
            progress.note(f"{edges.name}: waiting for {holder}")
            told = True
        time.sleep(_POLL_SECONDS)


def _keep(edges: Edges, name: str, token: str, stopped: threading.Event) -> None:
    ttl = edges.config.load.lease_ttl
    while not stopped.wait(ttl.total_seconds() / _RENEWALS):
        try:
            with warehouse(edges.config) as opened, opened.session() as inside:
                leases.renew(inside, name, token, now=datetime.now(UTC), ttl=ttl)
        except LoaderError:
            continue  # someone reads the file: the next renewal comes before the lease ends
