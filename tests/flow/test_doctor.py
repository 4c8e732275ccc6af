"""`doctor`: tries everything for real, says what does not work and what to do, and leaves nothing behind."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flow.harness import (
    LAYOUT,
    database,
    lines,
    put,
    query,
    run,
    track,
)
from loader.config import Config, load_config
from loader.load import doctor

Project = Callable[..., Config]
STEPS = [
    *("source web: list", "source web: layout", "source web: read"),
    *("staging: open", "staging: write", "staging: create once", "staging: list", "staging: read", "staging: delete"),
    *("warehouse: open", "warehouse: ledger", "warehouse: create", "warehouse: alter"),
    *("warehouse: load a Parquet part", "warehouse: merge", "warehouse: drop"),
    *("disk: warehouse", "disk: temporary files", "disk: staging"),
]


def failures(config: Config) -> dict[str, tuple[str, str]]:
    return {each.name: (each.detail, each.remedy) for each in doctor(config).checks if not each.ok}


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@contextmanager
def holder(path: str) -> Iterator[int]:
    """Yield the id of another process that has the warehouse open."""
    code = f"import duckdb; c = duckdb.connect({path!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.communicate("\n")


def test_before_the_first_load_everything_works_and_nothing_is_left(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(track()))
    before = everything(config.base)
    for _ in range(2):
        found = doctor(config)
        assert [each.name for each in found.checks] == STEPS
        assert found.ok
    assert everything(config.base) == before


def test_after_a_load_the_warehouse_itself_is_tried_and_left_as_it_was(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(track()))
    run(config)
    before = everything(config.base)
    checks = {each.name: each.detail for each in doctor(config).checks if each.ok}
    assert list(checks) == STEPS
    assert checks["warehouse: ledger"] == "1 loads in its history"
    assert everything(config.base) == before
    assert query(config, "SELECT count(*) FROM duckdb_schemas() WHERE schema_name = 'loader_doctor'") == [(0,)]


def test_a_source_that_is_not_there_is_told_and_the_rest_is_tried(project: Project) -> None:
    config = project()
    Path(config.sources["web"].url).rmdir()
    [(name, (detail, remedy))] = failures(config).items()
    assert name == "source web: list"
    assert "does not exist" in detail
    assert remedy.startswith("correct `url` or `access` in [sources.web]")


def test_files_that_follow_no_layout_are_told(project: Project) -> None:
    config = project()
    put(config, "elsewhere/a.gz", lines(track()))
    assert failures(config) == {
        "source web: layout": (
            f"no file follows the layout '{LAYOUT}', for example 'elsewhere/a.gz'",
            "correct `layout` in [sources.web], or move the files",
        )
    }


def test_a_staging_folder_that_is_a_file_is_told(project: Project) -> None:
    config = project()
    Path(config.staging.url).write_text("in the way")
    found = failures(config)
    assert list(found) == ["staging: open", "warehouse: load a Parquet part"]
    assert "[staging]" in found["staging: open"][1]


def test_a_warehouse_that_another_process_holds_is_told_with_the_process(project: Project) -> None:
    config = project()
    with holder(database(config)) as process:
        [(name, (detail, remedy))] = failures(config).items()
    assert name == "warehouse: open"
    assert f"PID {process}" in detail
    assert "wait or end that" in remedy


def test_a_warehouse_file_that_is_none_is_told(project: Project) -> None:
    config = project()
    Path(database(config)).write_text("no database" * 1000)
    assert list(failures(config)) == ["warehouse: open"]


def test_no_secret_is_ever_told(tmp_path: Path) -> None:
    (tmp_path / "loader.toml").write_text(
        "[sources.web]\nurl = 's3://bucket/events'\naccess = { endpoint = 'http://127.0.0.1:9', region = 'x', "
        "access_key_id = 'AKIDSECRET', secret_access_key = 'verysecret' }\n"
    )
    found = str(doctor(load_config(tmp_path / "loader.toml")))
    assert "AKIDSECRET" not in found
    assert "verysecret" not in found
