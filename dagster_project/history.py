"""Dagster's own memory of runs, which nothing else shortens."""

from datetime import datetime

import dagster as dg

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_PAGE = 500  # runs in one call of the job


def delete_old_runs(instance: dg.DagsterInstance, before: datetime, *, but: str, dry_run: bool) -> int:
    """Delete runs that ended and were made before a time, the oldest first, at most 500; return how many.

    What assets show, their materializations, goes with the runs; so a run that is the newest of some asset stays.
    Twice goes on where it stopped.
    """
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, created_before=before), limit=_PAGE, ascending=True
    )
    newest = _newest(instance)
    old = [each.dagster_run.run_id for each in records if each.dagster_run.run_id not in newest | {but}]
    for run_id in () if dry_run else old:
        instance.delete_run(run_id)
    return len(old)


def _newest(instance: dg.DagsterInstance) -> set[str]:
    """Return the runs that materialized some asset last."""
    found = set()
    for record in instance.get_asset_records():
        event = record.asset_entry.last_materialization_record
        if event is not None:
            found.add(event.run_id)
    return found
