"""Loads that a person gives up, and files that are tried again after a fix."""

from collections.abc import Iterator

from loader.config import Config
from loader.core import partitions
from loader.core.objects import find
from loader.core.plan import Arrival
from loader.core.results import LoadResult, Progress
from loader.core.warehouse import Session
from loader.errors import ConfigError
from loader.ledger import loads as ledger
from loader.ledger import summaries
from loader.load.edges import Edges, open_edges, warehouse
from loader.load.flow import loaded
from loader.load.leasing import leased
from loader.load.reading import reading
from loader.load.retyping import Quiet


def abandon(config: Config, load_id: str) -> int:
    """Give up an open load: release its files, delete its parts; return how many files are new again.

    Rows that it has merged stay, and no other load adds them again. Called twice, it deletes what a crash left and
    returns 0. ConfigError for a load that is done or unknown, with those that are open.
    """
    with reading(config) as (_, asked), asked.session() as session:
        source = _source(session, load_id)
    edges = open_edges(config, source)
    with leased(edges, Quiet()) as lease:
        with warehouse(config, staging=edges.staging) as opened:
            with opened.session() as session:
                lease.check(session)
                _source(session, load_id)  # it may have ended while we waited
                released = ledger.abandon(session, load_id)
            opened.clear(load_id)
        edges.staging.delete([file.key for file in edges.staging.list(f"loads/{source}/{load_id}/")])
    return released


def replay_quarantine(config: Config, source: str, *, progress: Progress) -> list[LoadResult]:
    """Load again the files of which lines, or the whole, are in the quarantine; return what each load did.

    What is a row already stays as it is; what can be read now becomes a row; what still cannot is quarantined anew,
    in place of what was there before. Called twice, the second call adds no row. A file that was rewritten is loaded
    as it is now; one that is gone stays in the quarantine.
    """
    edges = open_edges(config, source)

    def choose(session: Session) -> list[Arrival]:
        return list(_arrivals(edges, summaries.quarantined_files(session, source), progress))

    return loaded(edges, choose, kind="replay", progress=progress)


def _arrivals(edges: Edges, keys: list[str], progress: Progress) -> Iterator[Arrival]:
    """Yield the files as they are now, in the partition where a listing would find them."""
    settings = edges.settings
    for key in keys:
        file = find(edges.events, key)
        if file is None:
            progress.note(f"{edges.source}: {key} is gone; what it had in the quarantine stays there")
            continue
        at = partitions.partition_of(key, file.modified_at, layout=settings.layout, step=settings.partition)
        if at is None:
            progress.note(f"{edges.source}: {key} does not follow the layout any more; it stays in the quarantine")
            continue
        yield Arrival(file, ledger.microseconds(at))


def _source(session: Session, load_id: str) -> str:
    """Return the source of a load that is open or abandoned."""
    found = summaries.whereabouts(session, load_id)
    if found is None or found[1] == "done":
        what = "is done" if found else "is unknown"
        listed = ", ".join(summaries.all_open(session)) or "none"
        raise ConfigError(f"load {load_id!r} {what}, so there is nothing to give up; open loads are: {listed}")
    return found[0]
