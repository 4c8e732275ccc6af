"""`dagster dev` for real, one server for all tests, in the order of the file.

Files are dropped, the sensor fires, tables appear, a backfill tells of its bad hour, a person looks at it, processes
are killed.
"""

import gzip
import importlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from flow import harness

from loader.config import Config
from loader.core.synthetic import Shape, file
from ui.server import BACKFILL, BACKFILL_STATE, RELOAD, Server, dagster_dev, free_port

BACKFILL_PARTITIONS, BAD = 24, 7
SOURCES = """
[sources.app]
url = "app"
layout = "{yyyy}-{mm}-{dd}/{hh}/"
[sources.big]
url = "big"
layout = "{yyyy}-{mm}-{dd}/{hh}/"
"""
SHOTS = os.environ.get("LOADER_SCREENSHOTS")  # a folder for what the browser saw; else nothing is kept
KILLS = pytest.mark.skipif(
    "LOADER_KILLS" not in os.environ, reason="takes minutes: LOADER_KILLS=1 kills processes during loads"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, int]:
    """Three sources; nothing has arrived yet."""
    port = free_port()
    more = f'{SOURCES}\n[dagster]\nstart = "2026-01-01"\nurl = "http://127.0.0.1:{port}"\n'
    folder = tmp_path_factory.mktemp("dev") / "project"
    config = harness.project(folder, source=more, load='workers = 1\nlease_ttl = "30s"')
    for name in ("app", "big"):
        (folder / name).mkdir()
    return config, port


@pytest.fixture(scope="module")
def server(project: tuple[Config, int]) -> Iterator[Server]:
    with dagster_dev(project[0].base, port=project[1]) as found:
        yield found


def put_app(config: Config, hour: int, content: bytes) -> None:
    path = Path(config.sources["app"].url) / f"2026-01-01/{hour:02}/a.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_dropped_files_start_a_run_and_their_tables_appear(project: tuple[Config, int], server: Server) -> None:
    config, _ = project
    assert "web/tables/order_completed" not in server.assets()
    harness.put(config, "2026-01-01/05/a.jsonl", harness.lines(harness.track(userId="a"), harness.track("Signed Up")))
    harness.put(config, "2026-01-01/06/a.jsonl", harness.lines(harness.track(userId="b")))
    server.start_sensor("new_files")
    server.start_sensor("new_tables")
    server.until(lambda: "web/tables/order_completed" in server.assets())
    server.stop_sensor("new_tables")
    server.stop_sensor("new_files")
    assert {"web/tables/signed_up", "web/tables/tracks"} <= server.assets()
    assert [(each["status"], _tags(each)["sources"]) for each in server.runs()] == [("SUCCESS", "web")]
    assert server.partitions("web/loads")[1] == [("MATERIALIZED", "2026-01-01-05:00", "2026-01-01-06:00")]
    assert len(harness.rows(config, "order_completed")) == 2


def test_a_backfill_of_a_day_has_one_red_hour_and_one_run(project: tuple[Config, int], server: Server) -> None:
    config, _ = project
    for hour in range(BACKFILL_PARTITIONS):
        content = gzip.compress(harness.lines(harness.track(userId=f"app {hour}")), mtime=0)
        put_app(config, hour, content[:-9] if hour == BAD else content)
    names = [f"2026-01-01-{hour:02}:00" for hour in range(BACKFILL_PARTITIONS)]
    selection = [{"path": ["app", half]} for half in ("events", "loads")]
    began = time.monotonic()
    params = {"assetSelection": selection, "partitionNames": names, "title": "a day"}
    backfill = server.ask(BACKFILL, params=params)["launchPartitionBackfill"]["backfillId"]

    def over() -> bool:
        state = server.ask(BACKFILL_STATE, id=backfill)["partitionBackfillOrError"]["status"]
        return state not in ("REQUESTED", "CANCELING", "FAILING")

    server.until(over, seconds=400)
    print(f"a backfill of {BACKFILL_PARTITIONS} hours took {time.monotonic() - began:.0f} s")
    (run,) = [each for each in server.runs() if _tags(each).get("dagster/backfill") == backfill]
    assert run["status"] == "FAILURE"
    stats, ranges = server.partitions("app/events")
    assert (stats["numMaterialized"], stats["numFailed"]) == (BACKFILL_PARTITIONS - 1, 1)
    assert ("FAILED", "2026-01-01-07:00", "2026-01-01-07:00") in ranges
    assert server.partitions("app/loads")[0]["numMaterialized"] == BACKFILL_PARTITIONS
    assert harness.query(config, "SELECT count(*) FROM app.order_completed") == [(BACKFILL_PARTITIONS - 1,)]


def test_a_click_is_done_soon(project: tuple[Config, int], server: Server) -> None:
    config, _ = project
    harness.put(config, "2026-01-01/08/a.jsonl", harness.lines(harness.track(userId="click")))
    run = server.launch(assets=("web/events", "web/loads"), tags={"dagster/partition": "2026-01-01-08:00"}, config={})
    found = server.ended(run)
    assert found["status"] == "SUCCESS"
    waited, worked = found["startTime"] - found["creationTime"], found["endTime"] - found["startTime"]
    print(f"a click: {waited:.1f} s until the run began, {worked:.1f} s of work")


def test_a_job_of_the_launchpad_says_what_it_would_do(server: Server) -> None:
    config = {"ops": {"load": {"config": {"source": "web"}}}}
    assert server.ended(server.launch(job="load_now", tags={}, config=config))["status"] == "SUCCESS"


def test_a_person_sees_the_red_hour_its_reason_and_the_tables(server: Server) -> None:
    browser = chromium()
    base = f"http://127.0.0.1:{server.port}"
    try:
        partition = f"{base}/assets/app/events?view=partitions&partition=2026-01-01-{BAD:02}%3A00"
        seen = _seen(browser, partition, "failed, and did not materialize this asset", "bad_hour")
        assert "Failed (1)" in seen
        (failed,) = [each["runId"] for each in server.runs() if each["status"] == "FAILURE"]
        assert f"2026-01-01-{BAD:02}:00" in _seen(browser, f"{base}/runs/{failed}", "truncated_gzip", "reason")
        seen = _seen(browser, f"{base}/assets/web/tables/order_completed", "Row count", "table")
        assert "One row per track event" in seen
        assert "received_at" in seen
        seen = _seen(browser, f"{base}/assets", "web / loads", "assets")
        assert "web / models / sessions" in seen
        seen = _seen(browser, f"{base}/runs", "sources: web", "runs")
        assert "received: 2026-01-01 05:00 +2h" in seen
        seen = _seen(browser, f"{base}/jobs/load_now", "load_now", "job")
    finally:
        browser.quit()


def chromium() -> Any:
    """Return a headless browser, or skip where there is none."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("chromium and chromedriver are not installed: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = binary
    for each in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1500,1300"):
        options.add_argument(each)
    service = importlib.import_module("selenium.webdriver.chrome.service").Service(driver)
    return selenium.Chrome(options=options, service=service)


def _seen(browser: Any, url: str, words: str, shot: str) -> str:
    """Open a page, wait for words on it, and return all its text."""
    browser.get(url)
    return _waited(browser, words, shot)


def _waited(browser: Any, words: str, shot: str) -> str:
    deadline, text = time.monotonic() + 60, ""
    while words not in text:
        assert time.monotonic() < deadline, f"{browser.current_url} does not show {words!r} but: {text[:3000]}"
        time.sleep(0.5)
        text = browser.find_element("tag name", "body").text
    time.sleep(2)
    if SHOTS:
        browser.save_screenshot(f"{SHOTS}/{shot}.png")
    return str(browser.find_element("tag name", "body").text)


def _big(config: Config, hour: int) -> int:
    """Write a file that takes seconds to load; return how many events it has."""
    shape = Shape(events=24_000 * 24, event_names=30, seed=hour, files=24)
    key, lines = file(shape, hour)
    path = Path(config.sources["big"].url) / f"{key}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(lines, 1, mtime=0))
    return 24_000


def _begun(server: Server, hour: int) -> str:
    """Launch the load of an hour of `big`, and return when it is in the middle of it."""
    partition = f"2026-01-01-{hour:02}:00"
    run = server.launch(assets=("big/events", "big/loads"), tags={"dagster/partition": partition}, config={})
    server.until(lambda: server.workers(run) and b"big: reading" in _output(server, run))
    return run


def _output(server: Server, run: str) -> bytes:
    query = """query ($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
      ... on MessageEvent { message } } } } }"""
    return str(server.ask(query, run=run)["logsForRun"]).encode()


def _done(config: Config) -> int:
    """Return how many loads of `big` are done; -1 while another process holds the warehouse."""
    try:
        [(found,)] = harness.query(config, "SELECT count(*) FROM loader.loads WHERE source = 'big' AND state = 'done'")
    except duckdb.IOException:
        return -1
    return int(found)


def _settled(config: Config, server: Server, *, loads: int) -> None:
    """Assert that all is loaded in the end, and no run is left STARTED."""
    server.until(
        lambda: not [each for each in server.runs() if each["status"] not in ("SUCCESS", "FAILURE")], seconds=400
    )
    rows = harness.query(
        config, "SELECT count(*) FROM loader.loads WHERE source = 'big' AND state = 'done' AND conserved"
    )
    assert rows == [(loads,)]
    assert harness.query(config, "SELECT sum(unaccounted) FROM loader.conservation") == [(0,)]


@KILLS
def test_a_killed_run_fails_and_its_load_is_continued(project: tuple[Config, int], server: Server) -> None:
    config, _ = project
    _big(config, 1)
    run = _begun(server, 1)
    for process in server.workers(run):
        process.kill()
    assert server.ended(run, seconds=300)["status"] == "FAILURE"
    server.start_sensor("new_files")
    server.until(lambda: _done(config) == 1, seconds=300)
    server.stop_sensor("new_files")
    _settled(config, server, loads=1)


@KILLS
def test_a_killed_code_server_ends_no_load(project: tuple[Config, int], server: Server) -> None:
    config, _ = project
    _big(config, 2)
    run = _begun(server, 2)
    for process in server.processes("dagster api grpc"):
        process.kill()
    assert server.ended(run, seconds=300)["status"] == "SUCCESS"
    server.ask(RELOAD)  # what 'Reload definitions' does: the server is started anew
    server.until(server.assets, seconds=120)
    _settled(config, server, loads=2)


@KILLS
def test_two_runs_on_one_source_come_one_after_the_other(project: tuple[Config, int], server: Server) -> None:
    config, _ = project
    _big(config, 3)
    asked = {"assets": ("big/events", "big/loads"), "tags": {"dagster/partition": "2026-01-01-03:00"}, "config": {}}
    runs = [server.launch(**asked), server.launch(**asked)]  # type: ignore[arg-type]  # as one dict
    assert [server.ended(each, seconds=300)["status"] for each in runs] == ["SUCCESS", "SUCCESS"]
    _settled(config, server, loads=3)


@KILLS
def test_a_killed_daemon_ends_no_load_and_the_next_start_goes_on(project: tuple[Config, int], server: Server) -> None:
    config, _ = project
    _big(config, 4)
    run = _begun(server, 4)
    for process in server.processes("dagster._daemon"):
        process.kill()
    server.process.wait(120)  # `dagster dev` ends when one of its own does
    with dagster_dev(config.base) as again:
        assert again.ended(run, seconds=300)["status"] in ("SUCCESS", "FAILURE")
        _settled(config, again, loads=4)
        children = [again.process.pid, *(each.pid for each in again.processes(""))]
        print(f"memory of `dagster dev`: {sum(_resident(each) for each in children) >> 20} MB")


def _resident(process: int) -> int:
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _tags(run: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: each["value"] for each in run["tags"]}
