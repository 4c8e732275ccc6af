"""What a person sees in the UI of a partition, a check, a failure: facts of the loader as Dagster's metadata."""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from loader.core.report import Counts
from loader.core.results import LoadResult, PartitionFacts, Stage, Window

Metadata = dict[str, dg.MetadataValue | int | float | str]
_SHOWN = 100  # schema changes, tables, problems


def converted(fact: PartitionFacts | None, stages: Sequence[Stage]) -> Metadata:
    """Return what a partition's files held. The numbers are those of the ledger, over all loads."""
    lost = [line for stage in stages for line in stage.bad_input]
    return {**_counts(fact), "new_loads": _ids(stages), "bad_input": markdown(lost)}


def merged(fact: PartitionFacts | None, stages: Sequence[Stage]) -> Metadata:
    """Return what became of a partition's events. Rows and duplicates are known of whole loads, so of a load's all.

    `lag_seconds`: from the writing of the newest file to the end of the load.
    """
    results = [stage.result for stage in stages if stage.result]
    alone = all(len(stage.partitions) == 1 for stage in stages)
    found: Metadata = {
        **_counts(fact),
        "loads": _ids(stages),
        "rows_of_its_loads": sum(each.rows for each in results),
        "duplicates_of_its_loads": sum(each.duplicates for each in results),
        "rejects_of_its_loads": sum(each.rejects for each in results),
        "schema_changes": markdown([f"- {change}" for each in results for change in each.changes]),
        "tables": dg.MetadataValue.md(_tables(results)),
        "problems": markdown([f"- {problem}" for each in results for problem in each.problems]),
    }
    if fact and fact.finished_at:
        found["lag_seconds"] = round((fact.finished_at - fact.newest_at).total_seconds(), 1)
    if alone and (results or fact is None):
        found["dagster/partition_row_count"] = sum(each.rows for each in results)
    return found


def few_rejects(key: dg.AssetKey, name: str, stages: Sequence[Stage], limit: float) -> dg.AssetCheckResult:
    """Return whether no partition lost more than the limit allows."""
    from loader.load.stages import lost_share

    shares = {at: lost_share(each) for stage in stages for at, each in stage.counts.items()}
    worst = max(shares.values(), default=0.0)
    total = Counts()
    for stage in stages:
        for each in stage.counts.values():
            total = total.plus(each)
    metadata: Metadata = {"worst_share": worst, "limit": limit, "rejects": total.rejects}
    metadata |= {"quarantined": total.quarantined, "events": total.events}
    metadata["above"] = markdown(
        [f"- {at:%Y-%m-%d %H:%M}: {share:.1%}" for at, share in shares.items() if share > limit]
    )
    return dg.AssetCheckResult(passed=worst <= limit, check_name=name, asset_key=key, metadata=metadata)


def conserved(key: dg.AssetKey, name: str, stages: Sequence[Stage]) -> dg.AssetCheckResult:
    """Return whether every event of the loads that are done is accounted for."""
    done = [stage.result for stage in stages if stage.result and stage.state == "done"]
    lost = [result.load_id for result in done if not result.conserved]
    metadata: Metadata = {"loads": len(done), "events": sum(result.events for result in done)}
    metadata["loads_that_lost_events"] = ", ".join(lost)
    return dg.AssetCheckResult(passed=not lost, check_name=name, asset_key=key, metadata=metadata)


def unchanged(key: dg.AssetKey, name: str, stages: Sequence[Stage]) -> dg.AssetCheckResult:
    """Return whether no table or column is new or wider; only warns."""
    changes = [change for stage in stages if stage.result for change in stage.result.changes]
    return dg.AssetCheckResult(
        passed=not changes,
        check_name=name,
        asset_key=key,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"changes": len(changes), "schema_changes": markdown([f"- {change}" for change in changes])},
    )


def failure(bad: Mapping[dg.AssetKey, Mapping[str, str]], *, transient: bool) -> dg.Failure:
    """Return the failure of a run some of whose partitions are bad, each with its reason."""
    lines = [
        f"- `{key.to_user_string()}` {partition}: {reason}"
        for key, partitions in bad.items()
        for partition, reason in sorted(partitions.items())
    ]
    count = len({partition for partitions in bad.values() for partition in partitions})
    what = "1 partition" if count == 1 else f"{count} partitions"
    return dg.Failure(
        f"{what} failed, all others are done: {lines[0].removeprefix('- ')}",
        metadata={"failed_partitions": markdown(lines)},
        allow_retries=transient,
    )


def tag_run(context: dg.AssetExecutionContext, source: str, window: Window) -> None:
    """Say in the list of runs what a run is about."""
    run = context.instance.get_run_by_id(context.run.run_id)  # another source of the run may have added its name
    before = run.tags.get("sources", "") if run else ""
    sources = sorted({*filter(None, before.split(", ")), source})
    assert window.start
    assert window.stop
    hours = round((window.stop - window.start).total_seconds() / 3600)
    tags = {"sources": ", ".join(sources), "received": f"{window.start:%Y-%m-%d %H:%M} +{hours}h"}
    context.instance.add_run_tags(context.run.run_id, tags)


def markdown(lines: Iterable[str]) -> dg.MarkdownMetadataValue:
    """Return Markdown lines, the first hundred of them."""
    found = list(lines)
    more = [f"- … and {len(found) - _SHOWN:,} more"] if len(found) > _SHOWN else []
    return dg.MetadataValue.md("\n".join([*found[:_SHOWN], *more]) or "none")


def _counts(fact: PartitionFacts | None) -> Metadata:
    if fact is None:
        return dict.fromkeys(("files", "bytes", "lines", "events", "quarantined"), 0)
    return {
        "files": fact.files,
        "bytes": fact.stored_bytes,
        "lines": fact.lines,
        "events": fact.events,
        "quarantined": fact.quarantined,
        "newest_file_at": dg.MetadataValue.timestamp(fact.newest_at),
    }


def _ids(stages: Sequence[Stage]) -> str:
    return ", ".join(stage.load_id for stage in stages) or "none"


def _tables(results: Sequence[LoadResult]) -> str:
    tables = [table for result in results for table in result.tables]
    lines = [f"| {each.table} | {each.rows:,} | {each.duplicates:,} | {each.error or ''} |" for each in tables[:_SHOWN]]
    more = [f"| … and {len(tables) - _SHOWN:,} more | | | |"] if len(tables) > _SHOWN else []
    head = ["| table | new rows | duplicates | |", "|---|---:|---:|---|"]
    return "\n".join([*head, *lines, *more]) if lines else "none"
