"""The rules of BigQuery's adapter alone: errors, names, values, job ids, dead processes."""

import doctest
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import bigquery
from standins.bigquery import PROJECT, Standin, serve

from loader.core.faults import BUSY, Fault, classified
from loader.core.staging import Delivery
from loader.core.types import ColumnType
from loader.errors import WarehouseBusyError, WarehouseError
from loader.storage import connect
from loader.warehouses.bigquery import parts
from loader.warehouses.bigquery.faults import FAULTS, failed
from loader.warehouses.bigquery.jobs import bound
from loader.warehouses.bigquery.processes import HOST, PROCESS, is_dead, labels
from loader.warehouses.bigquery.shelves import shelves
from loader.warehouses.bigquery.staging import Stage
from warehouses import bigquery as projects

AT = datetime(2026, 1, 1, tzinfo=UTC)
ERRORS: list[tuple[str, str, Fault]] = [
    (
        "invalidQuery",
        "Transaction is aborted due to concurrent update against table p:d.t. Transaction ID: 6",
        Fault.TRANSIENT,
    ),
    ("invalidQuery", "Could not serialize access to table p:d.t due to concurrent update", Fault.TRANSIENT),
    ("rateLimitExceeded", "Exceeded rate limits: too many table update operations for this table", Fault.RATE),
    ("jobRateLimitExceeded", "", Fault.RATE),
    (
        "quotaExceeded",
        "Quota exceeded: Your table exceeded quota for imports or query appends per table",
        Fault.CAPACITY,
    ),
    ("quotaExceeded", "Too many partitions produced by query, allowed 4000, query produces at least 4001", Fault.DATA),
    ("resourcesExceeded", "Resources exceeded during query execution", Fault.CAPACITY),
    ("backendError", "", Fault.TRANSIENT),
    ("internalError", "", Fault.TRANSIENT),
    ("503", "Service Unavailable", Fault.TRANSIENT),
    ("accessDenied", "Access Denied: Dataset p:d: Permission bigquery.tables.create denied", Fault.PERMISSION),
    ("billingNotEnabled", "Billing has not been enabled for this project", Fault.PERMISSION),
    ("authError", "Request had invalid authentication credentials", Fault.CREDENTIALS),
    ("notFound", "Not found: Dataset p:d was not found in location EU", Fault.MISSING),
    ("notFound", "Not found: Table p:d.t", Fault.MISSING),
    ("duplicate", "Already Exists: Table p:d.t", Fault.SCHEMA),
    (
        "invalidQuery",
        "Query column 2 has type INT64 which cannot be inserted into column v, which has type STRING",
        Fault.SCHEMA,
    ),
    (
        "invalid",
        "Provided Schema does not match Table p:d.t. Field n has changed type from INTEGER to FLOAT",
        Fault.SCHEMA,
    ),
    ("invalidQuery", "Bad int64 value: Jane Doe", Fault.DATA),
    ("invalidQuery", "Syntax error: Unexpected keyword ROWS", Fault.UNKNOWN),
    ("somethingNew", "", Fault.UNKNOWN),
]


@pytest.mark.parametrize(("reason", "message", "fault"), ERRORS, ids=[f"{each[0]}: {each[1][:40]}" for each in ERRORS])
def test_an_error_says_who_must_act(reason: str, message: str, fault: Fault) -> None:
    error = failed("loading", {"reason": reason, "message": message})
    assert isinstance(error, WarehouseError)
    assert error.fault == classified(FAULTS, (reason,), message).fault.value == fault.value
    assert isinstance(error, WarehouseBusyError) == (fault in BUSY)


def test_an_error_quotes_nobodys_value() -> None:
    assert "Jane" not in str(failed("loading", {"reason": "invalidQuery", "message": "Bad int64 value: Jane Doe"}))


def test_values_are_parameters_with_types_and_nulls_are_written() -> None:
    sql = "SELECT '?', `a?`, 'it\\'s?' FROM t WHERE a = ? AND b = ? AND c IN (?, ?) AND d = ?"
    text, parameters = bound(sql, ["x", None, 1, 1.5, AT])
    assert text == "SELECT '?', `a?`, 'it\\'s?' FROM t WHERE a = ? AND b = NULL AND c IN (?, ?) AND d = ?"
    assert [(each.type_, each.value) for each in parameters] == [
        ("STRING", "x"),
        ("INT64", 1),
        ("FLOAT64", 1.5),
        ("TIMESTAMP", AT),
    ]


def test_the_examples_of_names_hold() -> None:
    assert doctest.testmod(parts).failed == 0


@pytest.mark.parametrize("names", [["#row", "c_0"], ["2nd", "c_0", "c__0"], ["#a", "#b", "c_1", "c_0"]], ids=str)
def test_stored_names_are_all_different(names: list[str]) -> None:
    found = parts.stored_names(names)
    assert len(set(found.values())) == len(names)
    assert all(found[name] == name for name in names if name.startswith("c_"))


def test_parts_become_one_file_with_all_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"#row": [1, 2], "a": ["x", None]}), tmp_path / "one")
    pq.write_table(pa.table({"#row": [3], "left": ["out"], "b": [1.5]}), tmp_path / "two")
    columns = {"#row": ColumnType.INTEGER, "b": ColumnType.DOUBLE, "a": ColumnType.JSON}
    [(file, rows, is_last)] = parts.rewritten([tmp_path / "one", tmp_path / "two"], columns, tmp_path)
    assert (rows, is_last) == (3, True)
    assert pq.read_table(file).to_pylist() == [
        {"c_0": 1, "b": None, "a": "x"},
        {"c_0": 2, "b": None, "a": None},
        {"c_0": 3, "b": 1.5, "a": None},
    ]


def test_parts_of_many_bytes_become_several_files(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x" * (1 << 20)] * 33}), tmp_path / "one")  # more than a row group takes
    made = list(parts.rewritten([tmp_path / "one"] * 3, {"text": ColumnType.STRING}, tmp_path, max_bytes=1))
    assert [(file.name, is_last) for file, _, is_last in made] == [
        ("0.parquet", False),
        ("1.parquet", False),
        ("2.parquet", True),
    ]
    assert [(rows, pq.read_metadata(file).num_rows) for file, rows, _ in made] == [(33, 33)] * 3


def test_a_process_is_dead_when_it_has_ended_or_is_another() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine = labels()
    assert [
        is_dead(mine),
        is_dead({**mine, PROCESS: f"{ended.pid}-1"}),
        is_dead({**mine, PROCESS: f"{os.getpid()}-1"}),  # its id was given away
        is_dead({**mine, PROCESS: f"{ended.pid}-1", HOST: "elsewhere"}),
        is_dead({}),
    ] == [False, True, True, False, False]


@pytest.fixture(scope="module")
def standin() -> Iterator[Standin]:
    with serve() as served:
        yield served


@pytest.fixture
def stage(standin: Standin, tmp_path: Path) -> Iterator[Stage]:
    yield projects.stage(standin, connect(str(tmp_path), access=None, base=tmp_path), tmp_path)
    standin.reset()


def loads(standin: Standin) -> list[str]:
    return [each["jobReference"]["jobId"] for each in standin.jobs.known.values() if "load" in each["configuration"]]


def test_staging_twice_loads_once(stage: Stage, standin: Standin, tmp_path: Path) -> None:
    [shelf] = shelves(projects.delivered(tmp_path, n="integer"))
    stage.fill(shelf)
    stage.fill(shelf)
    assert loads(standin) == [f"loader_{shelf.fingerprint}_0"]
    assert stage.tables("0123") == ["0123_0_0_clicked"]


def test_a_staging_table_that_is_gone_is_loaded_by_another_job(stage: Stage, standin: Standin, tmp_path: Path) -> None:
    [shelf] = shelves(projects.delivered(tmp_path, n="integer"))
    stage.fill(shelf)
    stage.drop(stage.tables("0123"))
    stage.fill(shelf)
    assert loads(standin) == [f"loader_{shelf.fingerprint}_{attempt}" for attempt in range(2)]
    assert stage.tables("0123") == ["0123_0_0_clicked"]


def test_a_job_that_failed_is_followed_by_another(stage: Stage, standin: Standin, tmp_path: Path) -> None:
    [shelf] = shelves(projects.delivered(tmp_path, n="integer"))
    standin.jobs.failing("LOAD", "backendError")
    with pytest.raises(WarehouseBusyError, match="ordered by a test"):
        stage.fill(shelf)
    stage.fill(shelf)
    assert len(loads(standin)) == 2


def test_a_job_id_that_somebody_else_has_taken_is_no_job_of_ours(stage: Stage, tmp_path: Path) -> None:
    [shelf] = shelves(projects.delivered(tmp_path, n="integer"))
    pq.write_table(pa.table({"a": [1]}), tmp_path / "another")
    other, job_id = f"{PROJECT}.loader_staging.another", f"loader_{shelf.fingerprint}_0"
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    with (tmp_path / "another").open("rb") as content:
        stage.client.load_table_from_file(content, other, job_id=job_id, job_config=config).result()
    with pytest.raises(WarehouseError, match="is none of this load's"):
        stage.fill(shelf)


@pytest.mark.usefixtures("stage")
def test_staging_tables_expire(standin: Standin) -> None:
    dataset = standin.jobs.engine.catalog.datasets["loader_staging"]
    assert dataset["defaultTableExpirationMs"] == str(24 * 3600 * 1000)


def test_parts_that_spell_a_column_in_two_ways_have_two_tables(tmp_path: Path) -> None:
    one, other = projects.delivered(tmp_path, n="integer"), projects.delivered(tmp_path, n="string")
    both = Delivery("0123", "web", "clicked", [*chain(one.parts, other.parts)], one.fixed, one.columns)
    assert [shelf.table for shelf in shelves(both)] == ["0123_0_0_clicked", "0123_0_1_clicked"]
