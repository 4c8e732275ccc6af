"""Kill -9 at every request; run again: the tool holds what an undisturbed run leaves, once. And the real command."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli.running import environment
from contract.project import Project, killed, preload, project

from loader.rehearsal.serving import Fault

ROWS = range(12)  # in four requests


def command(made: Project, *words: str) -> subprocess.Popen[str]:
    """Start `loader` in the project's folder."""
    (made.folder / "loader.toml").write_text(made.text())
    line = [sys.executable, "-m", "loader", *words]
    return subprocess.Popen(
        line, cwd=made.folder, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("after", [False, True], ids=["before the effect", "after the effect"])
@pytest.mark.parametrize("request_number", [1, 2, 3, 4, 5])
def test_killed_at_a_request(request_number: int, tmp_path: Path, *, after: bool) -> None:
    preload()
    with project("webhook", tmp_path) as made:
        made.tool["concurrency"] = 1
        made.audience(made.people((*ROWS, 99)))  # a first run, so that the second one removes somebody
        assert made.sync().confirmed == 13
        made.audience(made.people(ROWS, plan="pro"))
        process = made.process()

        def kill() -> None:
            os.kill(process.pid or 0, signal.SIGKILL)

        at = made.server.arrived + request_number
        made.server.faults = [Fault(at, after=kill) if after else Fault(at, before=kill, drop_before=True)]
        process.start()
        assert killed(process)
        applied = len(made.server.fake.done)  # type: ignore[attr-defined]  # the webhook's, by Idempotency-Key
        done = made.sync()
        assert done.state == "success"
        assert made.server.fake.held() == made.case.held(ROWS, "held_changed")
        assert made.states() == {"confirmed": 12, "removed": 1}
        assert made.query("SELECT count(*) FROM loader.sync_runs WHERE state <> 'success'") == [(0,)]
        assert made.query("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'sync_plan%'") == []
        batches = len(made.server.fake.done)  # type: ignore[attr-defined]
        assert batches == 5 + 5, f"no batch was done twice: {applied} were before, {batches} are now"


def test_the_command_tells_plan_run_and_rows(tmp_path: Path) -> None:
    with project("webhook", tmp_path) as made:
        made.audience([*made.people((1, 2)), *made.people((3,), plan="forbidden")])
        output, said = command(made, "sync", "vip", "--dry-run", "--full").communicate()
        assert ("adds        3" in output, "rejects     none" in output) == (True, True), output + said
        assert "person1@example.com" not in output, "a preview shows no personal data"
        running = command(made, "sync", "vip")
        output, said = running.communicate()
        assert running.returncode == 0, said
        assert "forbidden_plan" in output
        [(run_id,)] = made.query("SELECT run_id FROM loader.sync_runs WHERE state = 'success'")
        output, said = command(made, "sync", "show", run_id).communicate()
        assert "forbidden_plan" in output, said
        assert "u3" in output
        output, _ = command(made, "syncs").communicate()
        assert "2 confirmed, 1 rejected" in output
        output, _ = command(made, "destinations", "check", "tool").communicate()
        assert "takes an empty batch" in output
        running = command(made, "sync", "vipp")
        _, said = running.communicate()
        assert (running.returncode, "did you mean 'vip'" in said, "Traceback" in said) == (2, True, False)
