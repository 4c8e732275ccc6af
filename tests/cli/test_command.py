"""The real command: what it writes, what it prints where, and its exit codes."""

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.running import ROOT, environment, loader
from loader.cli import run
from loader.commands.arguments import Arguments
from loader.config import STARTER
from loader.errors import CapacityError, ConfigError, LeaseError

SOURCES = '[sources.web]\nurl = "web"\n[sources.app]\nurl = "app"\n'
HEAVY = "{'duckdb', 'msgspec', 'numpy', 'obstore', 'pyarrow', 'rich'}"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.gz")}


def raising(error: BaseException, config: Path = Path("none.toml")) -> Arguments:
    def fail(_: Arguments) -> int:
        raise error

    return Arguments(run=fail, debug=False, json=False, config=config)


def test_nothing_heavy_is_imported_before_a_command_runs() -> None:
    code = f"import sys, loader.cli; sys.exit(str({HEAVY} & set(sys.modules)) if {HEAVY} & set(sys.modules) else 0)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_help_and_version_are_answers(tmp_path: Path) -> None:
    assert loader(tmp_path, "--help").stdout.startswith("usage: loader ")
    assert loader(tmp_path, "--version").stdout.startswith("loader ")


def test_no_command_is_wrong_usage(tmp_path: Path) -> None:
    found = loader(tmp_path, "")
    assert (found.returncode, found.stdout) == (2, "")
    assert "name a command; `loader --help` lists them" in found.stderr


def test_init_writes_the_starter_once(tmp_path: Path) -> None:
    assert loader(tmp_path, "init").returncode == 0
    assert (tmp_path / "loader.toml").read_text(encoding="utf-8") == STARTER
    (tmp_path / "loader.toml").write_text("# mine")
    again = loader(tmp_path, "init")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == (
        "loader: loader.toml exists and was left as it is; edit it, or name another with --config\n"
    )
    assert (tmp_path / "loader.toml").read_text() == "# mine"


def test_init_where_there_is_no_folder_fails(tmp_path: Path) -> None:
    found = loader(tmp_path, "init --config no/where.toml")
    assert (found.returncode, found.stderr) == (1, "loader: no/where.toml: No such file or directory\n")


def test_generate_gives_the_same_files_for_the_same_options(tmp_path: Path) -> None:
    line = "generate --events 300 --files 3 --dirty 0.1 --batches 0.2 --to"
    first, second = loader(tmp_path, f"{line} a"), loader(tmp_path, f"{line} b --json")
    assert (first.returncode, second.returncode, first.stderr, second.stderr) == (0, 0, "", "")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(contents(tmp_path / "a")) == 3
    assert all(data[4:8] == bytes(4) for data in contents(tmp_path / "a").values())
    assert json.loads(second.stdout)["kept"] == 0
    assert (json.loads(second.stdout)["files"], json.loads(second.stdout)["events"]) == (3, 300)


def test_generate_twice_keeps_the_files(tmp_path: Path) -> None:
    line = "generate --events 30 --files 2 --to events"
    loader(tmp_path, line)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.gz")}
    assert "2 files of them were there already, and stay as they are" in loader(tmp_path, line).stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.gz")} == before


def test_generate_never_replaces_a_file(tmp_path: Path) -> None:
    loader(tmp_path, "generate --events 30 --files 2 --to events")
    before = contents(tmp_path)
    found = loader(tmp_path, "generate --events 30 --files 2 --to events --seed 2")
    assert found.returncode == 1
    assert "events-0000.jsonl.gz exists with other content and was left as it is" in found.stderr
    assert contents(tmp_path) == before


def test_generate_writes_where_the_source_looks(tmp_path: Path) -> None:
    layout = 'layout = "{source}/y={yyyy}/m={mm}/d={dd}/h={hh}/"\n'
    (tmp_path / "loader.toml").write_text(SOURCES.replace("[sources.app]", f"{layout}[sources.app]"))
    assert loader(tmp_path, "generate --source web --events 4 --files 2").returncode == 0
    assert sorted(contents(tmp_path)) == [
        "web/web/y=2026/m=01/d=01/h=00/events-0000.jsonl.gz",
        "web/web/y=2026/m=01/d=01/h=12/events-0001.jsonl.gz",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("generate", "loader.toml has the sources web, app; name one with --source, or write --to FOLDER"),
        ("generate --source wbe", "no source 'wbe' (did you mean 'web'?); loader.toml has web, app"),
        ("load --source mobile", "no source 'mobile'; loader.toml has web, app"),
        ("load --replay", "--replay alone would read everything again; say what with --from, --to or --source"),
        ("load --config other.toml", "other.toml does not exist; write one with `loader init`, or name another"),
        ("retype tracks total string", "'tracks' is no table; write schema.table, like web.order_completed"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "loader.toml").write_text(SOURCES)
    found = loader(tmp_path, line)
    assert (found.returncode, found.stdout, found.stderr) == (2, "", f"loader: {message}\n")


def test_wrong_settings_are_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "loader.toml").write_text(SOURCES + "max_depht = 3\n")
    found = loader(tmp_path, "load --json")
    assert found.returncode == 2
    assert found.stderr.startswith("loader: loader.toml: [sources.app] max_depht: no such setting (did you mean 'max_d")
    assert found.stderr.count("\n") == 1
    assert json.loads(found.stdout) == {"error": found.stderr.removeprefix("loader: ").removesuffix("\n")}


def test_settings_without_a_source_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "loader.toml").write_text("")
    found = loader(tmp_path, "load")
    assert (found.returncode, "loader.toml has no source; add a table [sources.NAME]" in found.stderr) == (2, True)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("wrong"), 2, "loader: wrong\n"),
        (LeaseError("two\nlines \x1b[31m"), 1, "loader: two lines \\x1b[31m\n"),
        (CapacityError("disk full"), 1, "loader: disk full\n"),
        (ValueError("odd"), 1, "loader: unexpected ValueError: odd; run again with --debug for the traceback\n"),
        (
            RuntimeError(),
            1,
            "loader: unexpected RuntimeError: no message; run again with --debug for the traceback\n",
        ),
        (
            KeyboardInterrupt(),
            130,
            "loader: interrupted; nothing is lost: the same command continues where this one stopped\n",
        ),
    ],
)
def test_every_error_is_one_line(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(error)) == code
    assert capsys.readouterr() == ("", said)


def test_an_unexpected_error_shows_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "loader.toml"
    access = 'access = { access_key_id = "AKIDKEY", secret_access_key = "verysecret", session_token = "token77" }'
    config.write_text(f'[sources.web]\nurl = "s3://events"\n{access}\n')
    assert run(raising(RuntimeError("GET refused: AKIDKEY/verysecret (token77)"), config)) == 1
    assert "unexpected RuntimeError: GET refused: ***/*** (***);" in capsys.readouterr().err


def test_the_traceback_comes_with_debug(tmp_path: Path) -> None:
    found = loader(tmp_path, "load --debug")
    assert found.returncode == 2
    assert found.stderr.startswith("loader: loader.toml does not exist")
    assert "Traceback (most recent call last)" in found.stderr


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    line = f"{shlex.quote(sys.executable)} -m loader generate --events 30 --files 2 --to events; echo $? >code"
    command = ["sh", "-c", f"({line}) 2>errors | true"]
    subprocess.run(command, cwd=tmp_path, env=environment(), check=True)
    deadline = time.monotonic() + 30
    while not (tmp_path / "code").exists() or not (tmp_path / "code").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert ((tmp_path / "code").read_text(), (tmp_path / "errors").read_text()) == ("0\n", "")


FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize(
    ("redirected", "code", "said"),
    [
        ("<&- >&-", 0, ""),
        (">&- 2>&-", 0, ""),
        ("--json >&-", 0, ""),
        (
            ">/dev/full",
            1,
            f"loader: the answer could not be written: {FULL}; what it tells of is done\n",
        ),
        ("2>/dev/full", 0, ""),
    ],
)
def test_streams_that_take_nothing_are_no_traceback(tmp_path: Path, redirected: str, code: int, said: str) -> None:
    line = f"{shlex.quote(sys.executable)} -m loader destinations {redirected}"
    found = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (code, said)


def test_an_interrupt_ends_with_130_and_the_next_run_continues(tmp_path: Path) -> None:
    line = "generate --events 400_000 --files 4_000 --to events"
    command = [sys.executable, "-m", "loader", *line.split()]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True) as running:
        while not list(tmp_path.rglob("*.gz")):
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate()
    assert running.returncode == 130
    assert said == "loader: interrupted; nothing is lost: the same command continues where this one stopped\n"
    assert 0 < len(list(tmp_path.rglob("*.gz"))) < 4_000
