"""The fast path and the reference agree: on every table, column, type, reject, quarantined line and count."""

import json
import shutil
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import model
from reference.shredder import shred
from reference.strategies import event_lines

from flow import harness
from flow.harness import HOUR, HOUR_AT

TYPES = {
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "double": "DOUBLE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "string": "VARCHAR",
    "json": "JSON",
}
OURS = {"loaded_at", "load_id"}


def reference_settings(**changed: Any) -> model.Settings:
    plain: dict[str, Any] = {"max_line_bytes": 8 << 20, "dedupe_window": timedelta(days=7)}
    return model.Settings(**{**plain, **changed})


def comparable(value: Any) -> Any:
    """Return a value such that equal means equal in the warehouse: −0 is 0, and JSON is compared by its text."""
    match value:
        case dict() | list():
            return json.dumps(value, sort_keys=True)
        case datetime():
            return value.isoformat()
        case _:
            return value


def canonical(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(
        repr(sorted((name, comparable(value)) for name, value in row.items() if name not in OURS and value is not None))
        for row in rows
    )


def value_of(text: str) -> str:
    """Return what a reject's JSON text says; large numbers as their digits, however they are spelled."""
    parsed = json.loads(text, parse_int=str, parse_float=str)
    if isinstance(parsed, str):
        try:
            return repr(float(parsed) + 0.0) if abs(float(parsed)) < 2**63 else digits(parsed)
        except ValueError:
            return parsed
    return json.dumps(json.loads(text), sort_keys=True)


def digits(number: str) -> str:
    """Return a number without the zeros behind its digits, and how many places they stand before the point."""
    sign, found, exponent = Decimal(number).as_tuple()
    text = "".join(map(str, found)).lstrip("0")
    short = text.rstrip("0")
    return f"{'-' * sign}{short}e{int(exponent) + len(text) - len(short)}"


@pytest.mark.parametrize("spelled", ["1e19", "1E+19", "10000000000000000000", "10000000000000000000.0", "0.1e20"])
def test_a_large_number_is_the_same_however_it_is_spelled(spelled: str) -> None:
    assert (value_of(spelled), value_of(f"-{spelled}")) == ("1e19", "-1e19")


def assert_same(config: Any, outcome: model.Outcome) -> None:
    have = {name: {c: k for c, k in each.items() if c not in OURS} for name, each in harness.columns(config).items()}
    want = {
        name: {column: TYPES[each.type] for column, each in columns.items() if column not in OURS}
        for name, columns in outcome.tables.items()
    }
    assert have == want, f"only ours: {_extra(have, want)}; only the reference's: {_extra(want, have)}"
    for name in want:
        ours, theirs = canonical(harness.rows(config, name)), canonical(outcome.rows[name])
        assert_equal(ours, theirs, name)


def _extra(one: dict[str, dict[str, str]], other: dict[str, dict[str, str]]) -> list[tuple[str, str, str]]:
    return [(t, c, k) for t, each in one.items() for c, k in each.items() if other.get(t, {}).get(c) != k]


def assert_same_notes(config: Any, outcome: model.Outcome, load_id: str) -> None:
    sql = "SELECT table_name, row_id, column_name, value, reason, file, line FROM loader.rejects WHERE load_id = ?"
    ours = Counter((*row[:3], value_of(row[3]), *row[4:]) for row in harness.query(config, sql, [load_id]))
    theirs = Counter(
        (each.table, each.row_id, each.column, value_of(each.value), each.reason, each.file, each.line)
        for each in outcome.rejects
    )
    assert_equal(ours, theirs, "rejects")
    sql = "SELECT file, line, reason FROM loader.quarantine WHERE load_id = ?"
    quarantined = Counter((each.file, each.line, each.reason) for each in outcome.quarantine)
    assert_equal(Counter(harness.query(config, sql, [load_id])), quarantined, "quarantine")


def assert_equal(ours: Counter[Any], theirs: Counter[Any], what: str) -> None:
    """Compare two bags, and show no more than what differs."""
    assert ours == theirs, f"{what}: only ours: {list(ours - theirs)}; only the reference's: {list(theirs - ours)}"


def check(loads: list[list[list[bytes]]], *, source: str = "", changed: dict[str, Any] | None = None) -> None:
    """Load files of lines, one load after the other, and compare each time."""
    folder = Path(tempfile.mkdtemp(prefix="loader-test-"))
    try:
        config = harness.project(folder, source=source)
        state = model.State()
        for number, files in enumerate(loads):
            given_files = []
            for index, lines in enumerate(files):
                name, content = f"{number}-{index}.jsonl.gz", b"\n".join(lines)
                harness.put(config, name, content)
                given_files.append(model.File(HOUR + name, HOUR_AT, content))
            outcome = shred(given_files, reference_settings(**(changed or {})), state)
            [result] = harness.run(config)
            assert result.conserved
            with harness.opened(config):
                assert_same(config, outcome)
                assert_same_notes(config, outcome, result.load_id)
            found = result.rows, result.duplicates, result.filtered, result.quarantined
            assert found == tuple(outcome.counts[each] for each in ("rows", "duplicates", "filtered", "quarantined"))
            assert (result.events, result.discarded_values) == (
                outcome.counts["events"],
                outcome.counts["discarded_values"],
            )
            state = outcome.state
    finally:
        shutil.rmtree(folder)


def files(max_lines: int) -> st.SearchStrategy[list[list[bytes]]]:
    return st.lists(event_lines(max_lines=max_lines), min_size=1, max_size=2)


@settings(max_examples=24)
@given(files(40))
def test_one_load_is_as_the_reference_says(content: list[list[bytes]]) -> None:
    check([content])


@settings(max_examples=16)
@given(files(12), files(12))
def test_a_second_load_evolves_the_tables_as_the_reference_says(
    first: list[list[bytes]], second: list[list[bytes]]
) -> None:
    check([first, second])


@pytest.mark.parametrize("evolve", ["freeze", "discard"])
@settings(max_examples=8)
@given(files(10), files(10))
def test_frozen_schemas_are_as_the_reference_says(
    evolve: str, first: list[list[bytes]], second: list[list[bytes]]
) -> None:
    check([first, second], source=f'evolve = "{evolve}"', changed={"evolve": evolve})


@settings(max_examples=12)
@given(files(12))
def test_narrow_limits_are_as_the_reference_says(content: list[list[bytes]]) -> None:
    check([content], source="max_columns = 20\nmax_depth = 2", changed={"max_columns": 20, "max_depth": 2})
