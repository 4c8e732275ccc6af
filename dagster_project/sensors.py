"""New files start runs by themselves, and new tables appear by themselves.

What is loaded is known to the ledger, never to a cursor: a cursor only says how far back to list, which source is
next, and how often the same work was asked for.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import dagster as dg

from dagster_project.partitions import begins_at
from dagster_project.resources import Loader
from dagster_project.spans import MAX_ATTEMPTS, Span, spans
from loader.config import Config
from loader.core.partitions import STEPS
from loader.errors import LoaderError, WarehouseLockedError
from loader.load.outstanding import Waiting

BUDGET_SECONDS = 40.0  # of a tick, which Dagster ends after 60; the next tick goes on with the sources that are left
SWEEP_SECONDS = 3600.0  # between two looks as far back as `lookback` says; in between only the newest partitions
RECENT = 3  # of them
MAX_REQUESTS = 20  # runs asked for in one tick
KIND, INGEST = "loader/kind", "new_files"
_GOING_ON = [
    *(dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING),
    *(dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING),
]


@dataclass(slots=True)
class Cursor:
    """What a tick leaves for the next."""

    first: str = ""  # the source to begin with
    swept_at: dict[str, float] = field(default_factory=dict)  # by source: when it was listed as far back as it goes
    attempts: dict[str, int] = field(default_factory=dict)  # by digest of a span

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """Return the cursor written; a new one where it cannot be read."""
        try:
            return cls(**json.loads(text or "{}"))
        except (ValueError, TypeError):
            return cls()

    def written(self) -> str:
        """Return it as text."""
        return json.dumps({"first": self.first, "swept_at": self.swept_at, "attempts": self.attempts})


def _targets(config: Config) -> dict[str, Any]:
    """Return what the sensor runs: a job for each length of partitions where there are two, as a job has only one."""
    by_step: dict[str, list[dg.AssetKey]] = {}
    for name, source in config.sources.items():
        by_step.setdefault(source.partition, []).extend(dg.AssetKey([name, half]) for half in ("events", "loads"))
    selections = {step: dg.AssetSelection.assets(*keys) for step, keys in by_step.items()}
    if len(selections) == 1:
        return {"target": selections.popitem()[1]}
    text = "What the sensor new_files runs for sources by"
    made = [
        dg.define_asset_job(f"load_by_{step}", each, description=f"{text} {step}.") for step, each in selections.items()
    ]
    return {"jobs": made}


def new_files_sensor(config: Config) -> dg.SensorDefinition:
    """Return the sensor that asks for a run per contiguous span of partitions with new files or open loads."""

    @dg.sensor(
        name="new_files",
        **_targets(config),
        minimum_interval_seconds=30,
        default_status=status(config),
        description="Looks for files that no load has, and for loads that are not done, in every source.",
    )
    def new_files(context: dg.SensorEvaluationContext, loader: dg.ResourceParam[Loader]) -> dg.SensorResult:
        cursor, found = Cursor.read(context.cursor), {}
        config = loader.config
        problems: list[str] = []
        for source, back in _turns(config, cursor, time.monotonic() + BUDGET_SECONDS):
            try:
                found[source], early = _looked(config, source, back)
            except WarehouseLockedError as error:
                return dg.SensorResult(cursor=context.cursor, skip_reason=f"{error}; the next tick looks again")
            except LoaderError as error:
                problems.append(f"{source}: {error}")
            else:
                problems += [f"{source}: {early}"] if early else []
        steps = {source: config.sources[source].partition for source in found}
        wanted = spans(found, steps, per_run=config.dagster.partitions_per_run)
        mixed = len({source.partition for source in config.sources.values()}) > 1
        return _asked(context, cursor, wanted, problems, mixed=mixed)

    return new_files


def new_tables_sensor(config: Config, known: dict[str, tuple[str, ...]]) -> dg.SensorDefinition:
    """Return the sensor that has the definitions loaded again when the lists of tables differ from the `known` ones.

    It does nothing else: loading them again ends the ticks that are going on.
    """

    @dg.sensor(
        name="new_tables",
        minimum_interval_seconds=30,
        default_status=status(config),
        description="Loads the definitions again when a load made a table, so that the table gets its page.",
    )
    def new_tables(context: dg.SensorEvaluationContext, loader: dg.ResourceParam[Loader]) -> dg.SkipReason:
        from loader.load import listed_tables

        config = loader.config
        there = {source: listed_tables(config, source) for source in config.sources}
        fresh = sorted(
            f"{source}/{each}" for source, all_ in there.items() for each in set(all_) - set(known.get(source, ()))
        )
        if not fresh:
            return dg.SkipReason("no new tables")
        named = f"{len(fresh):,} new tables, for example {fresh[0]}"
        if config.dagster.url is None:
            return dg.SkipReason(f"{named}: press 'Reload definitions', or set `url` in [dagster] of loader.toml")
        location = context.code_location_origin.location_name if context.code_location_origin else "loader"
        return dg.SkipReason(f"{named}: {reloaded(config.dagster.url, location)}")

    return new_tables


def reloaded(url: str, location: str) -> str:
    """Have a UI load a code location's definitions again; return how that went."""
    query = "mutation ($at: String!) { reloadRepositoryLocation(repositoryLocationName: $at) { __typename } }"
    body = json.dumps({"query": query, "variables": {"at": location}}).encode()
    request = Request(f"{url.rstrip('/')}/graphql", body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=BUDGET_SECONDS) as answer:
            found = json.load(answer)["data"]["reloadRepositoryLocation"]["__typename"]
    except (URLError, OSError, ValueError, KeyError, TypeError) as error:
        return f"{url} could not be asked to load the definitions again: {type(error).__name__}"
    return "definitions are loaded again" if found == "WorkspaceLocationEntry" else f"{url} answered {found}"


def status(config: Config) -> dg.DefaultSensorStatus:
    """Return whether sensors are on in a new instance."""
    return dg.DefaultSensorStatus.RUNNING if config.dagster.automation else dg.DefaultSensorStatus.STOPPED


def _turns(config: Config, cursor: Cursor, deadline: float) -> Iterator[tuple[str, timedelta | None]]:
    """Yield each source and how far back to look, from where the last tick ended, as long as there is time."""
    names = list(config.sources)
    begin = names.index(cursor.first) if cursor.first in names else 0
    for source in [*names[begin:], *names[:begin]]:
        cursor.first = source
        if time.monotonic() > deadline:
            return
        now = time.time()
        if now - cursor.swept_at.get(source, 0.0) >= SWEEP_SECONDS:
            yield source, None
            cursor.swept_at[source] = now
        else:
            yield source, RECENT * STEPS[config.sources[source].partition]
    cursor.first = names[begin] if names else ""


def _looked(config: Config, source: str, back: timedelta | None) -> tuple[Sequence[Waiting], str]:
    """Return what waits in partitions that there are, and what to say of those before the first one."""
    from loader.load import waiting

    found, first = waiting(config, source, back=back), begins_at(config.dagster.start, "day")
    inside = [each for each in found if each.at >= first]
    if len(inside) == len(found):
        return inside, ""
    many, start = len(found) - len(inside), config.dagster.start
    return inside, f"{many:,} partitions before `start` ({start}) are left alone: set it earlier in loader.toml"


def _asked(
    context: dg.SensorEvaluationContext, cursor: Cursor, wanted: list[Span], problems: list[str], *, mixed: bool
) -> dg.SensorResult:
    """Return the runs to ask for: those whose span no run works on, and that were not asked for too often."""
    busy = list(_busy(context.instance))
    requests: list[dg.RunRequest] = []
    reasons = list(problems)
    tried: dict[str, int] = {}
    for span in wanted:
        attempts = cursor.attempts.get(span.digest, 0)
        first, last = span.ends
        if any(span.meets(*each) for each in busy):
            reasons.append(f"{first} to {last}: a run works on it")
        elif len(requests) == MAX_REQUESTS:
            reasons.append(f"{first} to {last}: waits for the next tick")
        elif attempts >= MAX_ATTEMPTS:
            reasons.append(
                f"{first} to {last}: tried {attempts} times, and nothing has changed since; see its partitions"
            )
        else:
            requests.append(_request(span, attempts, mixed=mixed))
            attempts += 1
        tried[span.digest] = attempts
    cursor.attempts = tried  # what waits no longer is forgotten
    for reason in reasons:
        context.log.info(reason)
    skipped = None if requests else "; ".join(reasons) or "no new files"
    return dg.SensorResult(run_requests=requests, cursor=cursor.written(), skip_reason=skipped)


def _request(span: Span, attempt: int, *, mixed: bool) -> dg.RunRequest:
    first, last = span.ends
    return dg.RunRequest(
        run_key=f"{span.digest}-{attempt}",
        job_name=f"load_by_{span.step}" if mixed else None,
        asset_selection=[dg.AssetKey([source, half]) for source in span.sources for half in ("events", "loads")],
        tags={
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
            KIND: INGEST,
            "sources": ", ".join(span.sources),
            "files": f"{span.files:,}",
        },
    )


def _busy(instance: dg.DagsterInstance) -> Iterator[tuple[str, str, str]]:
    """Yield source, first and last partition of every run that is going on or waits."""
    for run in instance.get_runs(dg.RunsFilter(statuses=_GOING_ON)):
        one = run.tags.get("dagster/partition", "")
        first = run.tags.get("dagster/asset_partition_range_start", one)
        last = run.tags.get("dagster/asset_partition_range_end", one)
        selection: Any = run.asset_selection or ()
        for source in sorted({key.path[0] for key in selection}):
            if first:
                yield source, first, last
