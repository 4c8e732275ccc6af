"""What leaves Dagster by itself: alerts to a webhook, and the wish to load definitions again."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest
from flow import harness

from dagster_project.alerts import alert_sensor
from dagster_project.resources import Loader
from dagster_project.sensors import reloaded
from loader.config import Config
from ui.running import START, definitions, materialized

FIVE, SIX = "2026-01-01-05:00", "2026-01-01-06:00"
VISITS = (("a", "05:00"), ("a", "05:20"), ("a", "05:51"), ("b", "05:10"))


@pytest.fixture
def web(project: Callable[..., Config]) -> Config:
    """Events of two people in two hours, one of whom comes twice; not loaded yet."""
    config = project(source=START)
    for number, (person, at) in enumerate(VISITS):
        event = harness.track(userId=person, receivedAt=f"2026-01-01T{at}:00Z", properties={"total": number})
        harness.put(config, f"{number}.jsonl", harness.lines(event))
    return config


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is sent; answers as the UI's GraphQL would."""

    heard: list[dict[str, Any]] = []  # noqa: RUF012  # shared on purpose: a server makes a handler per request

    def do_POST(self) -> None:
        """Keep it."""
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        body = b'{"data": {"reloadRepositoryLocation": {"__typename": "WorkspaceLocationEntry"}}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[str]:
    """The address of a server that keeps what it hears in `Hook.heard`."""
    Hook.heard.clear()
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_failed_run_is_told_with_its_owner_its_reason_and_a_link(web: Config, hook: str) -> None:
    path = web.base / "loader.toml"
    more = f'webhook = "{hook}/hook"\nowners = ["team:data"]\nurl = "http://ui.example:3000"'
    path.write_text(path.read_text().replace("[dagster]", f"[dagster]\n{more}"))
    harness.put(web, "bad.jsonl", b"\x1f\x8b\x08 cut", packed=False)
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialized(web, FIVE, instance=instance)
        context = dg.build_run_status_sensor_context(
            "alert", result.get_run_failure_event(), instance, result.dagster_run
        ).for_run_failure()
        sensor = alert_sensor(definitions_config(web))
        assert sensor(context, loader=Loader(path)) is None
    (told,) = Hook.heard
    assert told["owners"] == ["team:data"]
    assert told["url"] == f"http://ui.example:3000/runs/{result.run_id}"
    assert f"1 partition failed, all others are done: `web/events` {FIVE}: " in told["text"]


def definitions_config(config: Config) -> Config:
    """Return the settings as they are written now."""
    return Loader(config.base / "loader.toml").config


def test_the_ui_is_asked_to_load_definitions_again(hook: str) -> None:
    assert reloaded(hook, "loader") == "definitions are loaded again"
    assert Hook.heard[0]["variables"] == {"at": "loader"}
    assert "could not be asked" in reloaded("http://127.0.0.1:9", "loader")


def test_new_tables_are_noticed(web: Config, hook: str) -> None:
    path = web.base / "loader.toml"
    path.write_text(path.read_text().replace("[dagster]", f'[dagster]\nurl = "{hook}"'))
    before = definitions(web)
    materialized(web, FIVE)

    def said(defs: dg.Definitions) -> str:
        context = dg.build_sensor_context(resources={"loader": Loader(path)})
        return str(defs.resolve_sensor_def("new_tables")(context))

    assert "2 new tables, for example web/order_completed: definitions are loaded again" in said(before)
    assert "no new tables" in said(definitions(web))
