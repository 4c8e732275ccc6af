"""A failed run is told to a webhook: what failed, why, whose it is, and where to look."""

import json
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import dagster as dg

from dagster_project.resources import Loader
from dagster_project.sensors import status
from loader.config import Config

_SECONDS = 10.0  # to wait for the webhook


def alert_sensor(config: Config) -> dg.SensorDefinition:
    """Return the sensor that tells the webhook of the settings; without one it only says so in its log."""

    @dg.run_failure_sensor(
        name="alert",
        default_status=status(config),
        description="Posts failed runs to the `webhook` of loader.toml. Hears of failures after its first tick only.",
    )
    def alert(context: dg.RunFailureSensorContext, loader: dg.ResourceParam[Loader]) -> dg.SkipReason | None:
        settings = loader.config.dagster
        if settings.webhook is None:
            return dg.SkipReason("no webhook is set in [dagster] of loader.toml")
        body = json.dumps(message(context, loader.config)).encode()
        request = Request(settings.webhook.reveal(), body, {"Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=_SECONDS):
                return None
        except (URLError, OSError, ValueError) as error:
            host = urlsplit(settings.webhook.reveal()).hostname  # the rest of the address may be a secret
            raise dg.Failure(f"the webhook at {host} could not be told: {type(error).__name__}") from None

    return alert


def message(context: dg.RunFailureSensorContext, config: Config) -> dict[str, object]:
    """Return what is told of a failed run. `text` is what chat tools show."""
    run, settings = context.dagster_run, config.dagster
    link = f"{settings.url.rstrip('/')}/runs/{run.run_id}" if settings.url else ""
    owners = list(settings.owners)
    why = _why(context)
    sources = run.tags.get("sources", "")
    text = f"{sources or run.job_name}: {why} {link} {' '.join(owners)}".strip()
    return {"text": text, "run": run.run_id, "job": run.job_name, "sources": sources, "why": why} | {
        "owners": owners,
        "url": link,
        "received": run.tags.get("received", ""),
    }


def _why(context: dg.RunFailureSensorContext) -> str:
    """Return the first line of what the failed step said, or of the run's own words."""
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        failure = event.step_failure_data.user_failure_data
        if failure is not None and failure.description:
            return failure.description.splitlines()[0]
        if error is not None:
            return error.message.strip().splitlines()[0]
    return (context.failure_event.message or "failed").splitlines()[0]
