"""A load that is killed where only Snowflake has a place; every boundary, and two at once, are in `tests/contract`."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract import reading
from contract.places.snowflake import settings
from flow import harness
from flow.harness import lines
from standins.snowflake import Account

from loader.config import Config, load_config


@pytest.fixture
def config(tmp_path: Path, snowflake_account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """A project with events in two files."""
    monkeypatch.setenv("TEST_SNOWFLAKE_PASSWORD", snowflake_account.password)
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    (tmp_path / "events").mkdir()
    path = tmp_path / "loader.toml"
    path.write_text(
        f"[warehouse]\n{settings(snowflake_account)}\n"
        f'[load]\nworkers = 1\nlock_wait = "30s"\n[sources.web]\nurl = "events"\nlayout = "{harness.LAYOUT}"\n'
    )
    found = load_config(path)
    for name in "ab":
        made = (harness.track(messageId=f"{name}{n}", properties={"n": n, "tags": [n]}) for n in range(20))
        harness.put(found, f"{name}.jsonl.gz", lines(*made))
    yield found
    snowflake_account.fail()


def assert_whole(config: Config) -> None:
    for table in ("order_completed", "tracks"):
        assert reading.query(config, f"SELECT count(*), count(DISTINCT id) FROM web.{table}") == [(40, 40)]
    assert reading.query(config, "SELECT sum(events), sum(unaccounted) FROM loader.conservation") == [(40, 0)]
    assert reading.query(config, "SELECT load_id FROM loader.loads WHERE state <> 'done'") == []
    assert reading.leftovers(config) == []


def test_a_load_that_is_killed_with_a_part_in_the_stage_is_carried_on(
    config: Config, snowflake_account: Account
) -> None:
    snowflake_account.fail({"match": "^COPY INTO", "act": "stall"})
    process = harness.start(config)
    until = time.monotonic() + 120
    while not snowflake_account.struck() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert process.poll() is None, "it ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    snowflake_account.fail()
    harness.command(config, code=0)
    assert_whole(config)
    assert [file for file in snowflake_account.stages()["files"] if _database(config) in file] == []


def _database(config: Config) -> str:
    database = getattr(config.warehouse, "database", None)
    assert isinstance(database, str)
    return database
