"""How syncs stand: the list of them, a run, and the rows of a run."""

from datetime import UTC, datetime

from loader.config import Config
from loader.core import diff
from loader.core.sync_results import Reason, RowLine, RunReport, SyncLine, SyncResult
from loader.core.warehouse import Session
from loader.errors import ConfigError
from loader.ledger import leases
from loader.ledger import syncs as ledger
from loader.load.edges import warehouse
from loader.sync.leasing import lease_name

_REASONS = 20


def syncs(config: Config) -> list[SyncLine]:
    """Return the syncs of the configuration, in order, with the states of their rows and their last run."""
    now, found = datetime.now(UTC), list[SyncLine]()
    with warehouse(config, read_only=True) as opened, opened.session() as inside:
        for name, each in config.syncs.items():
            states = inside.execute(
                "SELECT state, count(*) FROM loader.sync_ledger WHERE sync = ? GROUP BY state ORDER BY state", [name]
            )
            last = next(iter(ledger.runs(inside, sync=name, limit=1)), None)
            kind = config.destinations[each.destination].common.kind
            found.append(
                SyncLine(
                    name,
                    each.destination,
                    kind,
                    each.mode,
                    diff.counts([(row[0], row[1]) for row in states]),
                    last.run_id if last else None,
                    last.state if last else None,
                    (last.finished_at or last.planned_at) if last else None,
                    leases.held(inside, lease_name(name), now=now),
                )
            )
    return found


def show(config: Config, run_id: str, *, limit: int) -> RunReport:
    """Return a run, why rows did not arrive, and some of those rows. Raises ConfigError for an unknown run."""
    with warehouse(config, read_only=True) as opened, opened.session() as inside:
        line = ledger.run(inside, run_id)
        if line is None:
            raise ConfigError(f"there is no run {run_id!r}; `loader syncs` names the last run of each sync")
        seconds = (line.finished_at - line.planned_at).total_seconds() if line.finished_at else 0.0
        rows = ledger.rows(inside, run_id, limit)
        return RunReport(
            result(inside, run_id, resumed=False, seconds=seconds),
            line.planned_at,
            line.finished_at,
            tuple(RowLine(*row) for row in rows),
        )


def result(inside: Session, run_id: str, *, resumed: bool, seconds: float) -> SyncResult:
    """Return a run as the ledger has it."""
    line = ledger.run(inside, run_id)
    assert line is not None, "asked only for runs that are there"
    counts = {name: number for name, number in line.counts.items() if name != "replaces"}
    return SyncResult(
        run_id=run_id,
        sync=line.sync,
        destination=line.destination,
        mode=line.mode,
        state=line.state,
        resumed=resumed,
        seconds=seconds,
        reasons=tuple(Reason(*row) for row in ledger.reasons(inside, run_id, _REASONS)),
        error=line.error,
        **counts,
    )
