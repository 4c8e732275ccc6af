"""The README is true: its commands, settings and SQL work, its tables are complete, its links lead somewhere."""

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from pkgutil import iter_modules
from types import UnionType
from typing import Any, Union, get_args, get_origin

import duckdb
import msgspec
import pytest

from loader import warehouses
from loader.cli import parser
from loader.config import Access, Config, Dagster, Load, Source, Staging, parse
from loader.config.records import Common, Guard, Sync
from loader.config.syncs import destination, kinds
from loader.config.warehouses import KINDS, DuckDB

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = {module.name for module in iter_modules(warehouses.__path__)}
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "[warehouse]": DuckDB,
    **{f"[warehouse] {kind}": KINDS[kind] for kind in MODULES - {"duckdb"}},
    "[staging]": Staging,
    "[load]": Load,
    "[sources.NAME]": Source,
    "[sources.NAME.access]": Access,
    "[dagster]": Dagster,
    "[destinations.NAME]": Common,
    "[syncs.NAME]": Sync,
    "[syncs.NAME.guard]": Guard,
}
DESTINATIONS = "| destination | tool | modes | known by | rows per request | resend |"
ORDER = (
    *("Two flows", "Ten lines without a cloud", "What is supported", "Configuration", "Operating it"),
    *(
        "Tables, types and how they change",
        "Benchmark",
        "Adding a destination",
        "Adding a warehouse",
        "Where to start reading",
    ),
)


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the README's table with that heading line."""
    table = README.split(f"\n{heading}\n", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]


def settings() -> list[tuple[str, str, str]]:
    """Return table, setting and default of each row of the configuration."""
    found: list[tuple[str, str, str]] = []
    for section, name, default, _ in rows("| table | setting | default | what it is |"):
        found.append((section.strip("`") or found[-1][0], name.strip("`"), default))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's commands were run, one after the other, with the command of this checkout."""
    commands, work = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("readme")
    command = commands / "loader"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m loader "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    for block in blocks("sh"):
        words = ["bash", "-euo", "pipefail", "-c", block]
        done = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return work


def test_the_demo_shows_everything_and_loads_nothing_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loader", "demo", "a folder"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    first, second = (
        subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        for _ in range(2)
    )
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    shown = ("not_json", "not_integer", "widen", "because of", "customers", "web.users", "conserved   yes")
    assert [words for words in shown if words not in first.stdout] == []
    assert second.stdout.count("web: nothing to load") == 2
    assert second.stdout.split("-- what is there")[1] == first.stdout.split("-- what is there")[1]


def test_the_commands_leave_a_warehouse_that_the_sql_can_ask(folder: Path) -> None:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        assert all(connection.execute(sql).fetchall() for sql in blocks("sql"))


def test_the_views_run_and_find_every_event(folder: Path) -> None:
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        for view in sorted((ROOT / "sql" / "views").glob("*.sql")):
            connection.execute(view.read_text(encoding="utf-8"))
            assert connection.execute(f"FROM loader.{view.stem}").fetchall(), view.name
        assert connection.execute("SELECT sum(unaccounted) FROM loader.conservation").fetchall() == [(0,)]


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: str(block).splitlines()[0])
def test_the_configuration_examples_are_right(block: str) -> None:
    environment = dict.fromkeys(re.findall(r"env:(\w+)", block), "value")
    assert isinstance(parse(block, where="README.md", environment=environment), Config)


def test_every_setting_is_in_the_table() -> None:
    known = {(section, field.name) for section, kind in SECTIONS.items() for field in msgspec.structs.fields(kind)}
    assert {(section, name) for section, name, _ in settings()} == known


@pytest.mark.parametrize(
    ("section", "name", "default"), [row for row in settings() if re.fullmatch(r"`.*`", row[2])], ids=str
)
def test_the_defaults_in_the_table_are_the_defaults(section: str, name: str, default: str) -> None:
    written = tomllib.loads(f"value = {default.strip('`')}")["value"]
    (field,) = [each for each in msgspec.structs.fields(SECTIONS[section]) if each.name == name]
    assert _read(field.type, written) == field.default


def _read(kind: Any, written: object) -> object:
    """Return the value as the settings would read it."""
    (kind,) = [each for each in get_args(kind) if each is not type(None)] if _optional(kind) else [kind]
    return kind.read(written) if hasattr(kind, "read") else msgspec.convert(written, kind)


def _optional(kind: object) -> bool:
    return get_origin(kind) in (Union, UnionType)


def test_every_command_is_in_the_table() -> None:
    listed = [re.match(r"`loader (\w+)`", cells[0]) for cells in rows("| command | what it does |")]
    assert sorted(match[1] for match in listed if match) == sorted(commands())


def test_the_commands_and_options_named_exist() -> None:
    assert set(re.findall(r"`loader (\w+)", README)) <= set(commands())
    known = {option for each in commands().values() for option in each._option_string_actions}
    assert set(re.findall(r"`(?:loader [^`]*)?(--[a-z-]+)", README)) <= known


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found.choices)


def test_every_warehouse_is_in_the_table() -> None:
    listed = {cells[0].strip("`") for cells in rows("| warehouse | |") if cells[1].startswith("works")}
    assert listed == MODULES


def destinations_table() -> str:
    """Return the table of destinations as the code has it."""
    lines = [DESTINATIONS, "|---|---|---|---|---:|---|"]
    for kind in kinds():
        each = destination(kind)
        modes, known = ", ".join(sorted(mode.value for mode in each.modes)), " or ".join(each.identity) or "the key"
        lines.append(f"| `{kind}` | {each.title} | {modes} | {known} | {each.limits.rows:,} | {each.resend.value} |")
    return "\n".join(lines) + "\n"


def test_the_destinations_table_is_that_of_the_code() -> None:
    start = README.index(DESTINATIONS)
    found = README[start : README.index("\n\n", start) + 1]
    if os.environ.get("LOADER_WRITE"):
        (ROOT / "README.md").write_text(README.replace(found, destinations_table()), encoding="utf-8")
        return
    assert found == destinations_table(), 'LOADER_WRITE=1 make test ARGS="-k destinations_table" writes it'


def test_links_lead_to_files_that_exist() -> None:
    for name in ("README.md", "CHANGELOG.md"):
        links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text(encoding="utf-8"))
        assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_readme_keeps_its_order_and_its_length() -> None:
    assert tuple(re.findall(r"^## (.+)$", README, re.MULTILINE)) == ORDER
    assert README.count("\n") <= 560


def test_the_changes_of_this_version_are_told() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    section = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split(f"\n## {version}", 1)[1]
    assert "\n- " in section.split("\n## ", 1)[0]


def test_what_make_offers_is_told() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"demo", "test", "lint", "bench"} <= set(targets)
    assert set(re.findall(r"`?make ([a-z]+)`", README)) <= set(targets)
