"""One asset per source: the files of an hour or a day become rows.

A run over several partitions is one load, and its numbers stand at each of them. A partition without files is
materialized all the same, with zeros: Dagster counts what is missing as failed.
"""

from collections.abc import Iterable, Sequence

import dagster as dg

from dagster_project.resources import LoaderResource
from loader.core.results import LoadResult

PARTITIONS_PER_RUN = 48  # bounds what one run takes; a longer backfill becomes several runs
RETRIES = dg.RetryPolicy(max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL)
SHOWN = 100  # schema changes and problems
CONSERVED = "every_event_is_accounted_for"


def events_asset(source: str, partitions: dg.PartitionsDefinition[str], *, pool: str) -> dg.AssetsDefinition:
    """Return the asset of a source. `pool` names the warehouse: DuckDB lets one process in at a time."""
    key = dg.AssetKey([source, "events"])

    @dg.asset(
        key=key,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(PARTITIONS_PER_RUN),
        retry_policy=RETRIES,
        pool=pool,
        group_name=source,
        kinds={"parquet"},
        check_specs=[dg.AssetCheckSpec(CONSERVED, asset=key)],
    )
    def events(
        context: dg.AssetExecutionContext,
        loader: LoaderResource,
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster 1.13 reads the bare class, and no other
        """Every event received in the partition, in one table per event name.

        Loading a partition again loads what is new in it, and nothing twice.
        """
        results = done(loader.load(source, context.partition_time_window, context.log))
        return dg.MaterializeResult(metadata=metadata(results), check_results=[conservation(key, results)])

    return events


def done(results: Sequence[LoadResult]) -> Sequence[LoadResult]:
    """Return the results if every table could be loaded. Raises Failure, which another run may mend."""
    unfinished = [result for result in results if result.state != "done"]
    if unfinished:
        problems = [problem for result in unfinished for problem in result.problems]
        raise dg.Failure(
            f"{len(unfinished)} of {len(results)} loads are not done: {problems[0] if problems else 'see the log'}",
            metadata={"loads": ", ".join(result.load_id for result in unfinished), "problems": listed(problems)},
            allow_retries=False,
        )
    return results


def metadata(results: Sequence[LoadResult]) -> dict[str, dg.MetadataValue | int | str]:
    """Return what the loads did together; zeros where there was nothing to load."""
    counts = ("files", "events", "rows", "duplicates", "filtered", "quarantined", "rejects")
    return {
        **{name: sum(getattr(result, name) for result in results) for name in counts},
        "loads": ", ".join(result.load_id for result in results),
        "schema_changes": listed([change for result in results for change in result.changes]),
        "problems": listed([problem for result in results for problem in result.problems]),
    }


def conservation(key: dg.AssetKey, results: Sequence[LoadResult]) -> dg.AssetCheckResult:
    """Return whether every event is a row, a duplicate, filtered or quarantined."""
    lost = [result.load_id for result in results if not result.conserved]
    return dg.AssetCheckResult(
        passed=not lost, check_name=CONSERVED, asset_key=key, metadata={"loads_that_lost_events": ", ".join(lost)}
    )


def listed(sentences: Iterable[str]) -> dg.MarkdownMetadataValue:
    """Return sentences as a Markdown list, the first hundred of them."""
    lines = [f"- {sentence}" for sentence in sentences]
    more = [f"- … and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return dg.MetadataValue.md("\n".join([*lines[:SHOWN], *more]) or "none")
