"""Checks that ask the warehouse, of an asset of their own, `<source>/warehouse`.

Not of `loads`: the UI runs the checks of what it materializes, and a backfill must not count every table each time.
"""

from datetime import timedelta

import dagster as dg

from dagster_project.ingest import pool
from dagster_project.resources import Loader
from loader.config import Config

RECENT = timedelta(days=7)  # in which ids are looked for twice
_SHOWN = 50


def warehouse_specs(config: Config) -> list[dg.AssetSpec]:
    """Return what the checks are about: nothing materializes it."""
    text = (
        "All tables of the source as the warehouse has them: checked by the job check_warehouse, daily by its schedule."
    )
    return [
        dg.AssetSpec(
            [source, "warehouse"],
            deps=[dg.AssetKey([source, "loads"])],
            description=text,
            group_name=source,
            kinds={config.warehouse.kind},
            owners=list(config.dagster.owners),
        )
        for source in config.sources
    ]


def source_checks(config: Config) -> list[dg.AssetChecksDefinition]:
    """Return the checks of every source."""
    makers = (_counts, _duplicates, _left_behind)
    return [make(source, pool(config, source)) for source in config.sources for make in makers]


def _counts(source: str, pool: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([source, "warehouse"]),
        name="the_warehouse_has_what_was_loaded",
        description="Every table has as many rows as loads added.",
        pool=pool,
    )
    def counts(loader: dg.ResourceParam[Loader]) -> dg.AssetCheckResult:
        wrong = loader.counted(source)
        lines = [f"| {each.table} | {each.loaded:,} | {each.found:,} |" for each in wrong[:_SHOWN]]
        table = "\n".join(["| table | loaded | there |", "|---|---:|---:|", *lines]) if lines else "none"
        return dg.AssetCheckResult(passed=not wrong, metadata={"tables_that_differ": dg.MetadataValue.md(table)})

    return counts


def _duplicates(source: str, pool: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([source, "warehouse"]),
        name="no_id_is_there_twice",
        description=f"No table has two rows with one id among those received in the last {RECENT.days} days.",
        pool=pool,
    )
    def duplicates(loader: dg.ResourceParam[Loader]) -> dg.AssetCheckResult:
        wrong = {each.table: each.ids for each in loader.repeated(source, RECENT)}
        return dg.AssetCheckResult(passed=not wrong, metadata={"ids_by_table": dg.MetadataValue.json(wrong)})

    return duplicates


def _left_behind(source: str, pool: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([source, "warehouse"]),
        name="no_partition_is_left_behind",
        description="No partition has a load that is not done, or a file that could not be read.",
        pool=pool,
    )
    def left_behind(loader: dg.ResourceParam[Loader]) -> dg.AssetCheckResult:
        lines = [
            f"- {fact.at:%Y-%m-%d %H:%M}: {'; '.join(fact.damaged) or fact.error or 'its load is not done'}"
            for fact in loader.facts(source, None)
            if fact.open or fact.damaged
        ]
        text = "\n".join(lines[-_SHOWN:]) or "none"
        return dg.AssetCheckResult(
            passed=not lines, metadata={"partitions": len(lines), "why": dg.MetadataValue.md(text)}
        )

    return left_behind
