"""PostgreSQL by itself: connections that are cut, what its errors mean, what it says of its tables."""

import doctest
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flow.harness import LAYOUT, lines, put, run, track
from standins import postgres, wire
from standins.postgres import Server

from contract import reading
from contract.places import postgres as place
from contract.test_disturbed import assert_settled, filled, found, undisturbed
from loader.config import Config, load_config
from loader.core.types import ColumnType
from loader.core.warehouse import Warehouse
from loader.errors import WarehouseBusyError, WarehouseError
from loader.load.edges import connected
from loader.warehouses.postgres import copying
from loader.warehouses.postgres.copying import chunks

__all__ = ["undisturbed"]  # a fixture


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres.serve() as found:
        yield found


def project(folder: Path, settings: str, *, source: str = "") -> Config:
    (folder / "events").mkdir(parents=True)
    path = folder / "loader.toml"
    path.write_text(
        f'[warehouse]\n{settings}\n[load]\nlock_wait = "2s"\nworkers = 1\n'
        f'[sources.web]\nurl = "events"\nlayout = "{LAYOUT}"\n{source}\n'
    )
    return load_config(path)


@pytest.fixture(autouse=True)
def password(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_POSTGRES_PASSWORD", server.password)


def made(server: Server, folder: Path, **settings: Any) -> Config:
    return project(folder, place.settings(server, place.fresh(server), server.user), **settings)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_is_cut_at_any_commit_changes_nothing_in_the_end(
    server: Server, tmp_path: Path, when: wire.When, undisturbed: tuple[Any, ...]
) -> None:
    with wire.proxy(server.host, server.port, b"COMMIT\0") as proxy:
        reached = replace(server, port=proxy.port)
        config = filled(made(reached, tmp_path / "whole"))
        run(config)
        commits = proxy.heard
        assert commits > 10
        proxy.when = when
        for number in range(0, commits, 6):
            config = filled(made(reached, tmp_path / f"{number}"))
            proxy.heard, proxy.cut_at, before = 0, number, proxy.cuts
            [result] = run(config)
            proxy.cut_at = None
            assert proxy.cuts == before + 1
            assert (number, result.problems) == (number, ())
            assert found(config) == undisturbed, number
            assert_settled(config)


@pytest.mark.parametrize(
    ("setting", "value", "fault", "remedy"),
    [
        ("user", '"nobody"', "credentials", "correct `user` and `password`"),
        ("password", '"wrong"', "credentials", "correct `user` and `password`"),
        ("database", '"not_there"', "missing", "`database` in [warehouse]"),
        ("host", '"nowhere.invalid"', "missing", "correct `host`"),
    ],
)
def test_what_is_wrong_with_the_settings_is_told(
    server: Server, tmp_path: Path, setting: str, value: str, fault: str, remedy: str
) -> None:
    written = place.settings(server, "postgres", server.user).splitlines()
    changed = [f"{setting} = {value}" if line.startswith(f"{setting} =") else line for line in written]
    config = project(tmp_path / "project", "\n".join(changed))
    with pytest.raises(WarehouseError) as raised, connected(config):
        pass
    assert (raised.value.fault, raised.value.transient) == (fault, False)
    assert remedy in str(raised.value)
    assert "a p'ass" not in str(raised.value)


def test_a_table_that_someone_holds_is_waited_for_and_then_told(server: Server, tmp_path: Path) -> None:
    config = made(server, tmp_path / "project")
    put(config, "a.gz", lines(track(properties={"total": 1})))
    run(config)
    settings: Any = config.warehouse
    with (
        psycopg.connect(server.dsn(settings.database)) as holder,
        connected(config) as opened,
    ):
        holder.execute("LOCK TABLE web.order_completed")
        with pytest.raises(WarehouseBusyError, match="end it"):
            _altered(opened)


def _altered(opened: Warehouse) -> None:
    with opened.session() as session:
        session.execute("ALTER TABLE web.order_completed ADD COLUMN other TEXT")


def test_tables_and_columns_say_where_they_come_from(server: Server, tmp_path: Path) -> None:
    config = made(server, tmp_path / "project")
    put(config, "a.gz", lines(track("Order – Completed 'x'", properties={"Total Amount": 1})))
    run(config)
    put(config, "b.gz", lines(track("Order – Completed 'x'", properties={"couponCode": "a"})))
    run(config)
    [(load, other)] = reading.query(config, "SELECT min(load_id), max(load_id) FROM loader.loads")
    said = reading.query(config, "SELECT obj_description('web.order_completed_x'::regclass)")[0][0]
    assert said.startswith("event \"Order – Completed 'x'\"; first seen 20")
    assert said[-16:] in (load, other)
    columns = "SELECT col_description('web.order_completed_x'::regclass, attnum) FROM pg_attribute "
    where = "WHERE attrelid = 'web.order_completed_x'::regclass AND attname = ?"
    [[total]] = reading.query(config, columns + where, ["total_amount"])
    [[coupon]] = reading.query(config, columns + where, ["coupon_code"])
    assert (total.split(";")[0], coupon.split(";")[0]) == (
        "sent as properties.Total Amount",
        "sent as properties.couponCode",
    )


def test_numbers_beyond_those_of_jsonb_keep_their_digits_as_texts(server: Server, tmp_path: Path) -> None:
    config = made(server, tmp_path / "project")
    put(config, "a.gz", lines(track(properties={"doc": ["@"]})).replace(b'"@"', b'1e200000, 1e300, "1e200000"'))
    [result] = run(config)
    assert result.problems == ()
    [(text,)] = reading.query(config, "SELECT CAST(doc AS TEXT) FROM web.order_completed")
    assert text == '["1e200000", 1' + "0" * 300 + ', "1e200000"]'


def test_the_examples_of_storable_numbers_are_right() -> None:
    failed, tried = doctest.testmod(copying)
    assert (failed, tried) == (0, 2)


def test_wide_rows_are_sent_in_chunks_of_bounded_bytes(tmp_path: Path) -> None:
    path = tmp_path / "wide.parquet"
    pq.write_table(
        pa.table({"id": [f"m{n}" for n in range(40)], "text": [f"{n % 10}" * 500_000 for n in range(40)]}), path
    )
    columns = [("text", ColumnType.STRING), ("absent", ColumnType.INTEGER), ("id", ColumnType.STRING)]
    found = list(chunks(str(path), columns))
    assert max(map(len, found)) < 6 << 20
    rows = b"".join(found).splitlines()
    assert len(rows) == 40
    assert rows[3] == b'"' + b"3" * 500_000 + b'",,"m3"'
