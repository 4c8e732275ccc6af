"""What a load cost, as Snowflake's own history tells it; where it does not, as we measured it.

The stand-in says of every statement that it took a quarter of a second, and of those that read that they scanned 1 MiB.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.places.snowflake import settings
from flow import harness
from standins.snowflake import Account

from loader.config import Config, load_config
from warehouses.snowflake import asked, orders


@pytest.fixture
def config(tmp_path: Path, snowflake_account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """A project with three events."""
    monkeypatch.setenv("TEST_SNOWFLAKE_PASSWORD", snowflake_account.password)
    (tmp_path / "events").mkdir()
    path = tmp_path / "loader.toml"
    source = f'[sources.web]\nurl = "events"\nlayout = "{harness.LAYOUT}"'
    path.write_text(f"[warehouse]\n{settings(snowflake_account)}\n[load]\nworkers = 1\n{source}\n")
    found = load_config(path)
    harness.put(found, "a.jsonl.gz", orders(3))
    yield found
    snowflake_account.fail()


_COSTS = "SELECT table_name, statements, scanned_bytes, server_seconds FROM loader.load_tables ORDER BY 1"


def test_the_ledger_has_what_snowflake_says_a_merge_cost(config: Config, snowflake_account: Account) -> None:
    before = len(snowflake_account.statements())
    assert harness.run(config)[0].conserved
    # a staging table, PUT and COPY, and the insert: each a quarter of a second, the last two 1 MiB
    assert asked(config, _COSTS) == [("order_completed", 4, 2 << 20, 1.0), ("tracks", 4, 2 << 20, 1.0)]
    assert sum("QUERY_HISTORY" in sql for _, sql in snowflake_account.statements()[before:]) == 1


def test_a_history_that_may_not_be_asked_leaves_what_was_measured(config: Config, snowflake_account: Account) -> None:
    refusal = {"code": 3001, "state": "42501", "message": "Insufficient privileges"}
    snowflake_account.fail({"match": "QUERY_HISTORY_BY_USER", "act": "error", **refusal})
    assert harness.run(config)[0].conserved
    assert snowflake_account.struck() == 1
    for _, statements, scanned, seconds in asked(config, _COSTS):
        assert (statements, scanned) == (4, None)
        assert seconds > 0
        assert seconds != 1.0, "that is what the history would have said"
