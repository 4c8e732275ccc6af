"""Every table found in the data is an asset, `<source>/tables/<table>`: it appears with the load that made it.

The load reports what it knows of a table at once. The definition, which gives it a description and its place in the
lineage, comes from the list in staging when definitions are loaded next: no warehouse is asked, and without a list
there are no such assets until the next load.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_project.resources import Loader
from loader.config import Config
from loader.core.results import Stage, TableFacts
from loader.core.spec import CALLS, PROFILES

REPORTED = 300  # tables per run: an event in Dagster's log costs more than merging a small table
_CALLS = {call.table: name for name, call in CALLS.items() if call.table}
_EACH = {"users": "user, with the newest value of each trait", "accounts": "group, with the newest value of each trait"}
_TRACKS = "One row per track event, whatever its name, with the columns that all have."


def table_specs(config: Config, tables: Mapping[str, Iterable[str]]) -> list[dg.AssetSpec]:
    """Return the tables, by source, as assets that only loads materialize; `tracks` always: models need it."""
    known = {source: dict.fromkeys((*names, "tracks")) for source, names in tables.items()}
    return [_spec(config, source, table) for source, names in known.items() for table in names]


def report_tables(context: dg.AssetExecutionContext, loader: Loader, source: str, stages: Sequence[Stage]) -> None:
    """Log what is known of each table that the loads touched, those that changed first."""
    results = [stage.result for stage in stages if stage.result]
    changed = {word.partition(".")[2] for each in results for change in each.changes for word in _named(change)}
    added: dict[str, int] = {}
    for table in (table for each in results for table in each.tables if not table.error):
        added[table.table.partition(".")[2]] = added.get(table.table.partition(".")[2], 0) + table.rows
    touched = sorted(added.keys() | changed, key=lambda name: (name not in changed, -added.get(name, 0), name))
    if not touched:
        return
    if len(touched) > REPORTED:
        context.log.info(f"{len(touched):,} tables were touched, the page of {REPORTED} is brought up to date")
    for fact in loader.table_facts(source, touched[:REPORTED]):
        context.log_event(
            dg.AssetMaterialization(
                _key(source, fact.table), metadata=_metadata(source, fact, added.get(fact.table, 0))
            )
        )


def _key(source: str, table: str) -> dg.AssetKey:
    return dg.AssetKey([source, "tables", table])


def _spec(config: Config, source: str, table: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        _key(source, table),
        deps=[dg.AssetKey([source, "loads"])],
        description=_description(table),
        group_name=source,
        owners=list(config.dagster.owners),
        kinds={"table"},
        metadata={"dagster/table_name": f"{config.sources[source].schema}.{table}"},
    )


def _description(table: str) -> str:
    if table == "tracks":
        return _TRACKS
    if table in PROFILES:
        return f"One row per {_EACH[table]}."
    if table in _CALLS:
        return f"One row per {_CALLS[table]} call."
    return f"One row per track event whose name becomes `{table}`."


def _named(change: str) -> Iterable[str]:
    """Return the table (schema.table) that a change in words speaks of: "create web.a, …", "add web.a.b string"."""
    words = change.replace(",", "").split()
    return [".".join(words[1].split(".")[:2])] if len(words) > 1 else []


def _metadata(source: str, fact: TableFacts, added: int) -> dict[str, Any]:
    columns = [dg.TableColumn(name, kind, f"`{spelled}`" if spelled else None) for name, kind, spelled in fact.columns]
    schema = dg.TableSchema(columns)
    events = dg.AssetKey([source, "events"])
    lineage = {
        name: [dg.TableColumnDep(events, path) for path in spelled.split(", ")]
        for name, _, spelled in fact.columns
        if spelled
    }
    found: dict[str, Any] = {
        "dagster/table_name": f"{fact.schema}.{fact.table}",
        "dagster/column_schema": schema,
        "dagster/column_lineage": dg.TableColumnLineage(lineage),
        "columns": len(fact.columns),
        "rows_added": added,
    }
    if fact.loaded_at is not None:
        found["dagster/row_count"] = fact.rows
    if fact.changed_at is not None:
        found["columns_changed_at"] = dg.MetadataValue.timestamp(fact.changed_at)
    return found
