"""Tools that work in jobs: asked until they are done, also by a later process; nothing is sent twice meanwhile."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.project import Project, killed, preload, project

from loader.rehearsal.fake import Reply
from loader.rehearsal.serving import Fault


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Project]:
    with project("webhook", tmp_path) as found:
        found.tool |= {"url": f"{found.server.url}/slow", "concurrency": 1}
        yield found


def posts(made: Project) -> int:
    return sum(each.method == "POST" for each in made.server.seen)


def test_a_run_waits_for_its_jobs_and_takes_their_word_for_each_row(made: Project) -> None:
    made.audience([*made.people((1, 2, 3, 4)), *made.people((5,), plan="forbidden")])
    done = made.sync()
    assert (done.state, done.confirmed, done.rejected, done.open) == ("success", 4, 1, 0)
    assert made.server.fake.held() == made.case.held((1, 2, 3, 4))
    assert made.sync().skipped == 1
    assert posts(made) == 2


def test_a_job_that_takes_longer_than_the_run_is_asked_for_by_the_next(made: Project) -> None:
    made.settings["job_wait"] = "0s"
    made.audience(made.people((1, 2)))
    waiting = made.sync()
    assert (waiting.state, waiting.open, waiting.confirmed) == ("waiting", 2, 0)
    assert made.states() == {"sent": 2}
    made.audience(made.people((1, 2), plan="pro"))  # what is on its way is not overtaken
    assert made.sync().changes == 0
    made.settings["job_wait"] = "20s"
    done = made.sync()
    assert made.query(f"SELECT state, confirmed FROM loader.sync_runs WHERE run_id = '{waiting.run_id}'") == [
        ("success", 2)
    ]
    assert (done.changes, done.confirmed) == (2, 2)
    assert made.server.fake.held() == made.case.held((1, 2), "held_changed")
    assert posts(made) == 2


def test_a_job_is_asked_for_as_often_as_the_settings_say(made: Project) -> None:
    made.settings["job_wait"] = "0s"
    made.tool["poll"] = "60s"
    made.audience(made.people((1,)))
    assert made.sync().state == "waiting"
    assert made.query("SELECT check_at - begun_at >= INTERVAL 60 SECOND FROM loader.sync_jobs") == [(True,)]


def test_killed_while_a_job_works_the_next_run_asks_for_it_and_sends_nothing_again(made: Project) -> None:
    preload()
    made.audience(made.people((1, 2, 3)))
    process = made.process()

    def kill() -> None:
        os.kill(process.pid or 0, signal.SIGKILL)

    made.server.faults = [Fault(2, before=kill, drop_before=True)]  # the first question
    process.start()
    assert killed(process)
    done = made.sync()
    assert done.state == "success"
    assert made.states() == {"confirmed": 3}
    assert posts(made) == 1


def test_a_job_that_the_tool_has_forgotten_ends_and_its_rows_are_sent_again(made: Project) -> None:
    made.audience(made.people((1, 2)))
    made.server.faults = [Fault(2, reply=Reply(400, {"message": "no such job"}))]
    assert made.sync().failed == 2
    made.server.faults = []
    assert made.sync().confirmed == 2


@pytest.mark.parametrize("status", [404, 410])
def test_a_job_that_is_not_there_any_more_ends_too(made: Project, status: int) -> None:
    made.audience(made.people((1, 2)))
    made.server.faults = [Fault(2, reply=Reply(status, {"message": "no such job"}))]
    done = made.sync()
    assert (done.failed, [each.code for each in done.reasons]) == (2, ["job_lost"])
    made.server.faults = []
    assert made.sync().confirmed == 2
