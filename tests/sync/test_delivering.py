"""Tools that are slow, down, wrong, forgetful or picky; a warehouse that is gone; what is never repeated."""

import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from contract.project import Project, preload, project

from loader.delivery.client import Client
from loader.errors import ConfigError, DestinationError, WarehouseError
from loader.rehearsal.fake import Call, Reply
from loader.rehearsal.serving import Fault, served


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Project]:
    with project("webhook", tmp_path) as found:
        found.tool["concurrency"] = 1
        yield found


def test_a_wrong_token_stops_at_once_and_nothing_is_marked_sent(made: Project) -> None:
    made.audience(made.people(range(30)))
    made.tool["token"] = "wrong"
    done = made.sync()
    assert (done.state, done.confirmed, made.server.arrived) == ("failed", 0, 1)
    assert "does not accept the credentials" in (done.error or "")
    assert made.states() == {}
    del made.tool["token"]
    assert made.sync().confirmed == 30


def test_a_token_that_runs_out_midway_keeps_what_arrived(made: Project) -> None:
    made.audience(made.people(range(12)))
    made.server.faults = [Fault(3, reply=Reply(401, {"message": "expired"}))]
    done = made.sync()
    assert (done.state, done.confirmed) == ("partial", 6)
    made.server.faults = []
    assert made.sync().confirmed == 6
    assert made.server.fake.held() == made.case.held(range(12))


class Busy:
    """A tool that wants to be left alone for two seconds, once."""

    def __init__(self, *, dated: bool) -> None:
        self.dated, self.calls = dated, 0

    def held(self) -> dict[str, dict[str, object]]:
        return {}

    def answer(self, _: Call) -> Reply:
        self.calls += 1
        after = formatdate(time.time() + 2, usegmt=True) if self.dated else "1"
        return Reply(429, {"message": "slow"}, {"Retry-After": after}) if self.calls == 1 else Reply(200)


@pytest.mark.parametrize("dated", [False, True], ids=["in seconds", "as a date"])
def test_the_time_that_a_tool_asks_for_is_waited(tmp_path: Path, *, dated: bool) -> None:
    with project("webhook", tmp_path) as made, served(Busy(dated=dated)) as busy:
        made.tool |= {"url": busy.url, "answers": "status"}
        made.audience(made.people(range(3)))
        assert made.sync().state == "success"
        first, second = (each.at for each in busy.seen)
        assert second - first >= 0.9


def test_a_page_where_json_is_expected_is_no_answer(made: Project) -> None:
    made.audience(made.people(range(3)))
    made.server.faults = [Fault(at, reply=Reply(200, body=b"<html>welcome</html>")) for at in (1, 2)]
    done = made.sync()
    assert (done.state, done.confirmed, done.failed) == ("partial", 0, 3)
    assert [each.code for each in done.reasons] == ["not_json"]
    made.server.faults = []
    assert made.sync().confirmed == 3


def test_an_answer_that_forgets_rows_fails_them(made: Project) -> None:
    made.audience(made.people((1, 2, 3)))
    rows = [{"key": "u1", "status": "ok"}, {"key": "u2", "status": "retry", "message": "later, ana@example.com"}]
    made.server.faults = [Fault(1, reply=Reply(200, {"rows": rows}))]
    done = made.sync()
    assert (done.confirmed, done.failed) == (1, 2)
    assert {each.code: each.message for each in done.reasons} == {
        "no_answer": "the answer does not name the row",
        "retry": "later, …@…",
    }


class Picky:
    """A tool that refuses a whole batch when one row is bad, and does not say which."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, object]] = {}

    def held(self) -> dict[str, dict[str, object]]:
        return self.rows

    def answer(self, call: Call) -> Reply:
        rows = call.json["rows"]
        if any(row["fields"]["plan"] == "forbidden" for row in rows):
            return Reply(400, {"message": "bad row"})
        self.rows |= {row["key"]: row["fields"] for row in rows}
        return Reply(200)


def test_a_batch_refused_as_a_whole_is_halved_until_the_bad_row_stands_alone(tmp_path: Path) -> None:
    with project("webhook", tmp_path) as made, served(Picky()) as picky:
        made.tool |= {"url": picky.url, "max_rows": 64, "answers": "status"}
        made.audience([*made.people(range(63)), *made.people((63,), plan="forbidden")])
        done = made.sync()
        assert (done.confirmed, done.rejected, done.state) == (63, 1, "success")
        assert picky.arrived == 13, "one, and two for each of six halvings"
        assert made.sync().requests == 0


def test_a_tool_that_refuses_everybody_is_a_wrong_setting_not_wrong_rows(tmp_path: Path) -> None:
    with project("webhook", tmp_path) as made, served(Picky()) as picky:
        made.tool |= {"url": picky.url, "max_rows": 64, "answers": "status"}
        made.audience(made.people(range(64), plan="forbidden"))
        done = made.sync()
        assert done.state in ("failed", "partial")
        assert "row after row" in (done.error or "")
        assert picky.arrived < 64


def test_rows_that_keep_failing_are_dead_after_so_many_attempts_and_can_be_called_back(made: Project) -> None:
    made.settings["max_attempts"] = 2
    made.audience(made.people((1,)))
    later = Reply(200, {"rows": [{"key": "u1", "status": "retry"}]})
    made.server.faults = [Fault(1, reply=later), Fault(2, reply=later)]
    made.sync()
    assert made.states() == {"retry": 1}
    made.sync()
    assert made.states() == {"dead": 1}
    assert made.sync().skipped == 1
    assert made.sync(retry="retry").confirmed == 1


def test_a_retry_has_the_key_of_the_first_try(made: Project) -> None:
    made.audience(made.people((1,)))
    made.server.faults = [Fault(at, drop_after=True) for at in range(1, 6)]
    made.tool["patience"] = "1s"
    assert made.sync().failed == 1
    versions = made.query("SELECT DISTINCT version FROM loader.sync_rows")
    made.server.faults = []
    assert made.sync().confirmed == 1
    assert made.query("SELECT DISTINCT version FROM loader.sync_rows") == versions


def test_a_row_that_returns_to_an_earlier_version_has_a_new_key(made: Project) -> None:
    for plan in ("free", "pro", "free"):
        made.audience(made.people((1,), plan=plan))
        assert made.sync().confirmed == 1
    assert made.server.fake.held()["u1"]["plan"] == "free"
    assert made.query("SELECT count(DISTINCT version) FROM loader.sync_rows") == [(3,)]


def test_a_warehouse_that_is_gone_midway_is_told_and_the_next_run_continues(made: Project) -> None:
    made.audience(made.people(range(6)))
    path = made.folder / "warehouse.duckdb"
    away = made.folder / "away"

    def take_away() -> None:
        path.rename(away)
        path.mkdir()

    preload()
    made.server.faults = [Fault(2, before=take_away)]
    process = made.process()  # of its own: what it held ends with it
    process.start()
    process.join(60)
    assert process.exitcode == 1
    path.rmdir()
    away.rename(path)
    done = made.sync()
    assert done.state == "success"
    assert made.server.fake.held() == made.case.held(range(6))
    assert made.states() == {"confirmed": 6}


def test_the_private_network_is_out_of_reach_unless_it_is_meant(made: Project) -> None:
    made.audience(made.people((1,)))
    made.tool["private"] = False
    done = made.sync()
    assert done.state == "failed"
    assert "private = true" in (done.error or "")
    assert made.server.arrived == 0


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/x", "https://169.254.169.254/latest", "https://[::1]/", "https://10.0.0.1/"]
)
def test_addresses_that_are_not_public_are_refused(url: str) -> None:
    from loader.core.http import Request

    client = Client(private=False, timeout_seconds=1)
    with pytest.raises(DestinationError, match="private network"):
        client.send(Request("POST", url), {})
    client.close()


def test_a_redirect_is_not_followed(made: Project) -> None:
    made.audience(made.people((1,)))
    made.server.faults = [Fault(1, reply=Reply(307, headers={"Location": "http://127.0.0.1:1/"}))]
    done = made.sync()
    assert (done.state, made.server.arrived) == ("failed", 1)
    assert "307" in (done.error or "")


AUDIENCES = {
    "a syntax error": ("SELECT id frm people WHERE", "this is not SQL"),
    "two statements": ("SELECT 1 AS id; SELECT 2 AS id", "holds 2 statements"),
    "a DELETE": ("DELETE FROM people", "is DELETE"),
    "a DELETE inside": ("WITH gone AS (DELETE FROM people RETURNING *) SELECT * FROM gone", "is DELETE"),
    "a table": ("CREATE TABLE x AS SELECT 1", "is CREATE"),
    "nothing": ("-- nothing", "holds 0 statements"),
}


@pytest.mark.parametrize(("sql", "said"), AUDIENCES.values(), ids=AUDIENCES)
def test_an_audience_is_one_query(made: Project, sql: str, said: str) -> None:
    made.audience(made.people((1,)))
    (made.folder / "vip.sql").write_text(sql)
    made.settings |= {"table": None, "audience": str(made.folder / "vip.sql")}
    with pytest.raises(ConfigError, match=said):
        made.sync()
    assert made.query("SELECT count(*) FROM people") == [(1,)]
    assert made.server.arrived == 0


def test_an_audience_ends_where_its_statement_ends(made: Project) -> None:
    made.audience(made.people((1, 2)))
    (made.folder / "vip.sql").write_text(
        "SELECT *, ';' AS semicolon FROM people WHERE id <> 'u2' -- all; but one\n;\n-- end\n"
    )
    made.settings |= {"table": None, "audience": str(made.folder / "vip.sql")}
    assert made.sync().confirmed == 1


def test_a_column_that_is_not_there_is_told(made: Project) -> None:
    made.audience(made.people((1,)))
    made.settings["fields"] = {"email": "e_mail"}
    with pytest.raises(WarehouseError, match="e_mail"):
        made.sync()


def test_a_model_of_dbt_is_found_by_its_name(made: Project) -> None:
    made.audience(made.people((1, 2)))
    manifest = made.folder / "manifest.json"
    manifest.write_text(
        '{"nodes": {"model.x.vip": {"name": "vip", "resource_type": "model", "relation_name": "main.people"}}}'
    )
    made.settings |= {"table": None, "dbt": "vip", "manifest": str(manifest)}
    assert made.sync().confirmed == 2
    made.settings["dbt"] = "vips"
    with pytest.raises(ConfigError, match="0 models 'vips'"):
        made.sync()
