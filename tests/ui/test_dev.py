"""`dagster dev` for real, one server for all: files are dropped, a backfill tells of its bad hour, a person looks.

What takes time is done once, by fixtures: each builds on those that it names, and a test asks for what it looks at.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flow import harness
from standins.ports import reserved

from loader.config import Config
from ui.browser import chromium
from ui.server import BACKFILL, BACKFILL_STATE, Server, served

BACKFILL_PARTITIONS, BAD = 24, 7
SOURCES = """
[sources.app]
url = "app"
layout = "{yyyy}-{mm}-{dd}/{hh}/"
[sources.shop]
url = "shop"
layout = "{yyyy}-{mm}-{dd}/"
partition = "day"
"""
TOLD = ("MATERIALIZED", "2026-01-01-05:00", "2026-01-01-06:00")
TABLES = {"web/tables/order_completed", "web/tables/signed_up", "web/tables/tracks", "shop/tables/paid"}


class Dropped(NamedTuple):
    """What the sensors had done when files had been dropped into an empty project."""

    assets_before: set[str]
    runs: list[dict[str, Any]]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with reserved() as found:
        yield found


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, port: int) -> Config:
    """Two sources by hour and one by day; nothing has arrived yet."""
    more = f'{SOURCES}\n[dagster]\nstart = "2026-01-01"\nurl = "http://127.0.0.1:{port}"\n'
    folder = tmp_path_factory.mktemp("dev") / "project"
    made = harness.project(folder, source=more, load="workers = 1")
    for name in ("app", "shop"):
        (folder / name).mkdir()
    return made


@pytest.fixture(scope="module")
def server(config: Config, port: int) -> Iterator[Server]:
    with served(config.base, port) as found:
        yield found


@pytest.fixture(scope="module")
def dropped(config: Config, server: Server) -> Dropped:
    """Files of two hours and of a day, loaded by runs of a sensor; another found their tables. Both are off again."""
    before = server.assets()
    harness.put(config, "2026-01-01/05/a.jsonl", harness.lines(harness.track(userId="a"), harness.track("Signed Up")))
    harness.put(config, "2026-01-01/06/a.jsonl", harness.lines(harness.track(userId="b")))
    put(config, "shop", "2026-01-02", gzip.compress(harness.lines(harness.track("Paid")), mtime=0))
    server.start_sensor("new_files")
    server.until(lambda: len(server.runs()) == 2 and server.idle())
    server.stop_sensor("new_files")
    runs = server.runs()
    server.start_sensor("new_tables")
    server.until(lambda: server.assets() >= TABLES)
    server.stop_sensor("new_tables")
    return Dropped(before, runs)


@pytest.fixture(scope="module")
def backfill(config: Config, server: Server, dropped: Dropped) -> str:  # noqa: ARG001  # the sensor would take its files
    """A backfill of a day with one damaged hour, asked for: Dagster looks for such twice a minute."""
    for hour in range(BACKFILL_PARTITIONS):
        content = gzip.compress(harness.lines(harness.track(userId=f"app {hour}")), mtime=0)
        put(config, "app", f"2026-01-01/{hour:02}", content[:-9] if hour == BAD else content)
    names = [f"2026-01-01-{hour:02}:00" for hour in range(BACKFILL_PARTITIONS)]
    selection = [{"path": ["app", half]} for half in ("events", "loads")]
    params = {"assetSelection": selection, "partitionNames": names, "title": "a day"}
    return str(server.ask(BACKFILL, params=params)["launchPartitionBackfill"]["backfillId"])


@pytest.fixture(scope="module")
def backfilled(server: Server, backfill: str) -> list[dict[str, Any]]:
    """The runs of the backfill, which is over."""

    def over() -> bool:
        state = server.ask(BACKFILL_STATE, id=backfill)["partitionBackfillOrError"]["status"]
        return state not in ("REQUESTED", "CANCELING", "FAILING")

    server.until(over, seconds=400)
    return [each for each in server.runs() if _tags(each).get("dagster/backfill") == backfill]


def put(config: Config, source: str, folder: str, content: bytes) -> None:
    path = Path(config.sources[source].url) / folder / "a.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_dropped_files_start_runs_and_their_tables_appear(config: Config, server: Server, dropped: Dropped) -> None:
    assert "web/loads" in dropped.assets_before
    assert not {each for each in dropped.assets_before if each.endswith("/order_completed")}
    assert {(each["status"], each["jobName"], _tags(each)["sources"]) for each in dropped.runs} == {
        ("SUCCESS", "load_by_hour", "web"),
        ("SUCCESS", "load_by_day", "shop"),
    }
    assert TOLD in server.partitions("web/loads")[1]
    assert server.partitions("shop/loads")[1] == [("MATERIALIZED", "2026-01-02", "2026-01-02")]
    assert harness.query(config, "SELECT count(*) FROM web.order_completed WHERE user_id IN ('a', 'b')") == [(2,)]


@pytest.mark.usefixtures("backfill")  # which begins meanwhile
def test_a_click_is_done_soon(config: Config, server: Server) -> None:
    harness.put(config, "2026-01-01/08/a.jsonl", harness.lines(harness.track(userId="click")))
    run = server.launch(assets=("web/events", "web/loads"), tags={"dagster/partition": "2026-01-01-08:00"}, config={})
    found = server.ended(run)
    assert found["status"] == "SUCCESS"
    waited, worked = found["startTime"] - found["creationTime"], found["endTime"] - found["startTime"]
    print(f"a click: {waited:.1f} s until the run began, {worked:.1f} s of work")


@pytest.mark.usefixtures("dropped")
def test_a_job_of_the_launchpad_says_what_it_would_do(server: Server) -> None:
    config = {"ops": {"load": {"config": {"source": "web"}}}}
    assert server.ended(server.launch(job="load_now", tags={}, config=config))["status"] == "SUCCESS"


def test_a_backfill_of_a_day_has_one_red_hour_and_one_run(
    config: Config, server: Server, backfilled: list[dict[str, Any]]
) -> None:
    assert [each["status"] for each in backfilled] == ["FAILURE"], server.log.read_text()[-4000:]
    stats, ranges = server.partitions("app/events")
    assert (stats["numMaterialized"], stats["numFailed"]) == (BACKFILL_PARTITIONS - 1, 1)
    assert ("FAILED", "2026-01-01-07:00", "2026-01-01-07:00") in ranges
    assert server.partitions("app/loads")[0]["numMaterialized"] == BACKFILL_PARTITIONS
    assert harness.query(config, "SELECT count(*) FROM app.order_completed") == [(BACKFILL_PARTITIONS - 1,)]


@pytest.mark.usefixtures("dropped")
def test_a_person_sees_the_red_hour_its_reason_and_the_tables(server: Server, backfilled: list[dict[str, Any]]) -> None:
    with chromium(f"http://127.0.0.1:{server.port}") as browser:
        hour = f"/assets/app/events?view=partitions&partition=2026-01-01-{BAD:02}%3A00"
        browser.sees(hour, "failed, and did not materialize this asset", "Failed (1)", shot="bad_hour")
        browser.sees(f"/runs/{backfilled[0]['runId']}", "truncated_gzip", f"2026-01-01-{BAD:02}:00", shot="reason")
        table = "/assets/web/tables/order_completed"
        browser.sees(table, "Row count", "One row per track event", "received_at", shot="table")
        browser.sees("/assets", "web / loads", "web / models / sessions", "shop / events", shot="assets")
        browser.sees("/runs", "sources: web", "received: 2026-01-01 05:00 +2h", "sources: shop", shot="runs")
        launchpad = "/locations/loader/jobs/load_now/playground"
        browser.sees(launchpad, "dry_run: true", 'Missing required config entry "source"', shot="job")
        browser.sees(
            "/assets/shop/loads?view=partitions&partition=2026-01-02", "Materialized (1)", "lag_seconds", shot="day"
        )


def _tags(run: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: each["value"] for each in run["tags"]}
