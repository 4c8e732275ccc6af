"""Parts of loads that are done → deleted, once their load has been done for `keep_days`.

At 0 days that is what a crash left between the end of a load and its clean-up: the load itself deletes the rest.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from loader.core.results import Progress
from loader.errors import StorageError, WarehouseError
from loader.ledger import loads
from loader.load.edges import Edges, warehouse


def expire(edges: Edges, progress: Progress, *, now: datetime) -> None:
    """Delete the parts in staging of the source's expired loads; those of open and of unknown loads stay.

    Lists all that is kept of the source. Called twice, the second call finds nothing. No load depends on it, so a
    failure is only told, and the next run tries again.
    """
    folder, keep = f"loads/{edges.source}/", timedelta(days=edges.config.staging.keep_days)
    try:
        kept = {file.key.removeprefix(folder).partition("/")[0] for file in edges.staging.list(folder)}
        if not kept:
            return
        with warehouse(edges.config, staging=edges.staging) as opened:
            with opened.session() as session:
                finished = loads.finished(session, edges.source, sorted(kept))
            over = expired(finished, keep=keep, now=now)
            for load_id in over:
                opened.clear(load_id)  # parts that are left say that its end was cut short
        for load_id in over:
            edges.staging.delete([file.key for file in edges.staging.list(f"{folder}{load_id}/")])
    except (StorageError, WarehouseError) as error:
        progress.note(f"{edges.source}: parts of older loads are not deleted yet, the next run tries again: {error}")


def expired(finished: Mapping[str, datetime], *, keep: timedelta, now: datetime) -> list[str]:
    """Return the loads that have been done for `keep` or longer, the oldest first."""
    return sorted((each for each, at in finished.items() if now - at >= keep), key=lambda each: (finished[each], each))
