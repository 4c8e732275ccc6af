"""What holds for every destination with the whole engine: plan, ledger, real HTTP, and what the fake holds then."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.case import REMOVING, SLUGS
from contract.project import Project, killed, preload, project
from loader.core.destination import Resend
from loader.rehearsal.fake import Reply
from loader.rehearsal.serving import Fault

# Some laws are about the engine, and are tried with one tool of each kind; LOADER_EVERYWHERE=1 tries them with all.
KINDS = [slug for slug in ("webhook", "segment", "sendgrid", "hubspot") if slug in SLUGS]
CHOSEN = SLUGS if os.environ.get("LOADER_EVERYWHERE") else KINDS
everywhere = pytest.mark.parametrize("slug", SLUGS)
chosen = pytest.mark.parametrize("slug", CHOSEN)
FIRST, THEN = (1, 2, 3, 4, 5), (2, 3, 4, 6)  # who is in the audience; `max_rows` is 3


@pytest.fixture
def made(slug: str, tmp_path: Path) -> Iterator[Project]:
    with project(slug, tmp_path) as found:
        yield found


@everywhere
def test_the_tool_follows_the_audience_the_plan_is_the_run_and_a_second_run_sends_nothing(made: Project) -> None:
    removing, changed = made.case.mode in REMOVING, made.case.written.get("change")
    made.audience(made.people(FIRST))
    plan = made.plan()
    assert (plan.adds, plan.changes, plan.removes, plan.rejects) == (5, 0, 0, {})
    assert not dict(made.server.fake.held())
    done = made.sync()
    assert (done.state, done.confirmed, done.rejected, done.failed) == ("success", 5, 0, 0), done
    assert (done.adds, done.changes, done.removes) == (plan.adds, plan.changes, plan.removes)
    assert made.server.fake.held() == made.case.held(FIRST)
    sent = made.server.arrived
    again = made.sync()
    assert (again.state, again.adds, again.changes, again.requests) == ("success", 0, 0, 0)
    assert made.server.arrived == sent
    made.audience([*made.people((2, 3)), *made.people((4,), **(changed or {})), *made.people((6,))])
    plan, done = made.plan(), made.sync()
    assert (plan.adds, plan.changes, plan.removes) == (done.adds, done.changes, done.removes)
    assert (done.state, done.adds, done.removes) == ("success", 1, 2 if removing else 0), done
    expected = {**made.case.held((2, 3, 6)), **made.case.held((4,), "held_changed" if changed else "held")}
    expected |= {**made.case.held((1, 5), "held_removed" if removing else "held")}
    assert made.server.fake.held() == expected
    assert_nothing_secret_is_kept(made)


@everywhere
def test_whoever_has_another_identifier_leaves_no_orphan(made: Project) -> None:
    if not made.case.written.get("move") or made.case.mode not in REMOVING:
        pytest.skip("never: this tool knows people by what does not change, or removes nobody")
    made.audience(made.people(FIRST))
    made.sync()
    made.audience([*made.people((1, 2, 3, 4)), *made.people((5,), **made.case.written["move"])])
    assert made.sync().state == "success"
    assert made.server.fake.held() == {**made.case.held((1, 2, 3, 4)), **made.case.held((5,), "held_moved")}
    made.audience([])
    assert made.sync().removed >= 5
    left = {**made.case.held(FIRST, "held_removed")}
    assert made.server.fake.held().keys() <= left.keys() | made.case.held((5,), "held_moved").keys()


@pytest.mark.parametrize(
    ("slug", "at", "after"),
    [(slug, 2, True) for slug in SLUGS]  # the last request has done its work, and nobody was told
    + [(slug, at, after) for slug in CHOSEN for at, after in ((1, False), (1, True), (2, False))],
)
def test_killed_at_a_request_it_ends_as_if_it_had_not_been(slug: str, at: int, after: bool, tmp_path: Path) -> None:
    preload()
    with project(slug, tmp_path) as made:
        made.audience(made.people(FIRST))
        process = made.process()

        def kill() -> None:
            os.kill(process.pid or 0, signal.SIGKILL)

        fault = Fault(at, after=kill, drop_after=True) if after else Fault(at, before=kill, drop_before=True)
        made.server.faults = [fault]
        process.start()
        assert killed(process)
        done = made.sync()
        if made.case.destination.resend is Resend.UNSAFE:
            assert done.unknown <= 3, "at most one batch is unknown"
            assert made.sync().adds == 0, "and it is not sent again without a person"
            return
        assert done.state == "success", done
        assert made.server.fake.held() == made.case.held(FIRST)
        assert made.states() == {"confirmed": 5}
        assert made.query("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'sync_plan%'") == []


@chosen
def test_a_tool_that_is_down_costs_nothing(made: Project) -> None:
    made.audience(made.people(FIRST))
    made.server.faults = [Fault(at, reply=Reply(503, body=b"<html>down</html>")) for at in range(1, 40)]
    made.tool["patience"] = "1s"  # each request is tried twice
    done = made.sync()
    assert done.confirmed == 0
    assert done.state in ("partial", "failed")
    made.server.faults = []
    assert made.sync().state == "success"
    assert made.server.fake.held() == made.case.held(FIRST)


@chosen
def test_what_a_tool_only_says_it_has_is_healed_by_a_resync(made: Project) -> None:
    """Nobody sees a lie: what a tool accepts counts as there, until a person, or `refresh_days`, has all sent again."""
    made.audience(made.people(FIRST))
    made.server.faults = [Fault(at, lie=True) for at in range(1, 40)]
    told = made.sync()
    assert dict(made.server.fake.held()) == {}, "nothing was done"
    made.server.faults = []
    again = made.sync()
    assert again.confirmed == len(FIRST) - told.confirmed - told.rejected, (
        "who is confirmed is not sent again by itself"
    )
    assert made.sync(resync=True, retry="rejected").state == "success"
    assert made.server.fake.held() == made.case.held(FIRST)
    assert made.states() == {"confirmed": len(FIRST)}


@everywhere
def test_bad_rows_are_told_with_a_reason_and_do_not_come_back_until_they_change(made: Project) -> None:
    bad = made.case.written["rejected"][0]
    made.audience([*made.people((1, 2)), *made.people((3,), **bad["row"])])
    done = made.sync()
    assert (done.confirmed, done.rejected) == (2, 1), done
    assert [each.code for each in done.reasons] == [bad["code"]]
    sent = made.server.arrived
    again = made.sync()
    assert (again.adds, again.skipped) == (0, 1)
    assert made.server.arrived == sent
    made.audience(made.people((1, 2, 3)))
    assert made.sync().confirmed == 1
    assert made.server.fake.held() == made.case.held((1, 2, 3))


def assert_nothing_secret_is_kept(made: Project) -> None:
    """Neither secrets, nor what the tool wants hashed, are in the ledger or the log."""
    destination, written = made.case.destination, made.case.written
    kept = str([made.query(f"SELECT * FROM loader.{table}") for table in ("sync_ledger", "sync_rows", "sync_runs")])
    assert made.case.row(2)["id"] in kept, "it is looked for where rows are"
    hashed = [each.name for each in destination.fields if each.hashed and each.name in written["fields"]]
    plain = [str(row[written["fields"][name]]) for row in made.people(FIRST) for name in hashed]
    assert [value for value in plain if value in kept or value.strip().lower() in kept] == []
    own = made.config().destinations["tool"].own
    secrets = [getattr(own, name) for name in own.__struct_fields__]
    shown = [each.reveal() for each in secrets if hasattr(each, "reveal")]
    assert [each for each in shown if each and each in kept] == []
