"""What every warehouse must do: one suite for all of them, through their real clients.

Expected values are written down. Where a warehouse cannot keep a case, the case says so (`exceptions.exception`).
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from flow.harness import lines, put, run, track

from contract import reading
from contract.conftest import Project
from contract.exceptions import exception
from contract.places import Place
from loader.errors import WarehouseError
from loader.load import doctor, retype

AT = datetime(2026, 1, 1, 5, 10, tzinfo=UTC)


def event(number: int, name: str = "Order Completed", /, **properties: object) -> dict[str, object]:
    """Return a track call with an id and a time that tell its number."""
    at = f"2026-01-01T05:10:{number:02}Z"
    return {**track(name, properties=properties), "messageId": f"m{number}", "receivedAt": at}


def identify(number: int, user: str, **traits: object) -> dict[str, object]:
    """Return an identify call."""
    at = f"2026-01-01T05:10:{number:02}Z"
    return {"type": "identify", "messageId": f"i{number}", "userId": user, "receivedAt": at, "traits": traits}


def own(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without the columns that every event has."""
    system = {"id", "received_at", "sent_at", "original_timestamp", "timestamp", "user_id", "event", "event_text"}
    return [{name: value for name, value in row.items() if name not in system} for row in rows]


def settled(config: Any) -> bool:
    """Return whether nothing is left of the work."""
    return (
        reading.query(config, "SELECT load_id FROM loader.loads WHERE state <> 'done' OR NOT conserved") == []
        and reading.query(config, "SELECT holder FROM loader.leases") == []
        and reading.leftovers(config) == []
    )


def test_a_load_makes_tables_of_every_type(make: Project, place: Place) -> None:
    config = make()
    sent = {"flag": True, "count": 3, "share": 0.5, "at": "2026-01-02T03:04:05.678Z", "note": "é", "list": [1, "a"]}
    put(config, "a.gz", lines(event(1, **sent), event(2)))
    [result] = run(config)
    assert (result.state, result.events, result.rows, result.conserved) == ("done", 2, 2, True)
    kinds = reading.columns(config)["order_completed"]
    assert {name: kinds[name] for name in sent} == {
        "flag": "boolean",
        "count": "integer",
        "share": "double",
        "at": "timestamp",
        "note": "string",
        "list": "json",
    }
    first, second = own(reading.table(config, "order_completed"))
    assert first == {
        "flag": True,
        "count": 3,
        "share": (0.5).hex(),
        "at": datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
        "note": "é",
        "list": ("array", (Decimal(1), "a")),
    }
    assert second == {}
    assert len(reading.table(config, "tracks")) == 2
    if place.kind not in ("duckdb", "lake"):  # which run in this process
        cost = "SELECT min(statements) >= 2, min(server_seconds) > 0 FROM loader.load_tables AS t"
        assert reading.query(config, cost) == [(True, True)]
    assert settled(config)


def test_columns_are_added_and_integers_widen(make: Project) -> None:
    config = make()
    put(config, "a.gz", lines(event(1, total=3)))
    run(config)
    put(config, "b.gz", lines(event(2, total=2.5, coupon="SPRING", items=[{"sku": 1}])))
    [result] = run(config)
    assert result.changes == (
        "widen web.order_completed.total from integer to double",
        "add web.order_completed.coupon string",
        "add web.order_completed.items json",
    )
    assert own(reading.table(config, "order_completed")) == [
        {"total": (3.0).hex()},
        {"total": (2.5).hex(), "coupon": "SPRING", "items": ("array", (("object", frozenset({("sku", Decimal(1))})),))},
    ]


def test_what_a_column_cannot_hold_is_rejected_and_comes_back_with_a_wider_type(make: Project) -> None:
    config = make()
    put(config, "a.gz", lines(event(1, total=3)))
    run(config)
    put(config, "b.gz", lines(event(2, total="a lot"), event(3, total="12"), event(4, total=[1])))
    [result] = run(config)
    assert result.rejects == 2
    assert own(reading.table(config, "order_completed")) == [{"total": 3}, {}, {"total": 12}, {}]
    found = {dict(each)["row_id"]: dict(each) for each in reading.rejects(config)}
    assert {row: (each["column_name"], each["value"], each["reason"], each["line"]) for row, each in found.items()} == {
        "m2": ("total", "a lot", "not_integer", 1),
        "m4": ("total", ("array", (Decimal(1),)), "not_integer", 3),
    }
    done = retype(config, "web.order_completed", "total", "json")
    assert (done.restored, done.left) == (2, 0)
    assert own(reading.table(config, "order_completed")) == [
        {"total": Decimal(3)},
        {"total": "a lot"},
        {"total": Decimal(12)},
        {"total": ("array", (Decimal(1),))},
    ]
    assert not reading.rejects(config)


@exception("redshift", "notimpl", "SUPER spells doubles its own way: every digit is kept, the exponent is not")
def test_a_retyped_column_is_spelled_as_if_it_had_been_text_from_the_start(make: Project) -> None:
    config = make()
    doubles = [0.1, 1e-7, 123456789.125, 1e15 + 0.5, 9007199254740994.0, 1e16, 1.5e300, 5e-324, 100.0, -0.5]
    put(config, "a.gz", lines(*(event(number, value=value) for number, value in enumerate(doubles, 10))))
    run(config)
    retype(config, "web.order_completed", "value", "string")
    assert [row["value"] for row in own(reading.table(config, "order_completed"))] == [
        *("0.1", "1e-07", "123456789.125", "1000000000000000.5", "9007199254740994.0", "1e+16", "1.5e+300"),
        *("5e-324", "100", "-0.5"),
    ]


def test_a_replay_adds_nothing(make: Project) -> None:
    config = make()
    put(config, "a.gz", lines(event(1, total=1), event(2, total="x"), identify(1, "u", plan="free"), b"{"))
    run(config)
    before = reading.tables(config), reading.rejects(config), reading.quarantine(config)
    [again] = run(config, replay=True)
    assert (again.rows, again.duplicates, again.quarantined) == (0, 3, 1)
    assert (reading.tables(config), reading.rejects(config), reading.quarantine(config)) == before
    assert settled(config)


def test_of_a_repeated_id_one_row_stays_the_first_of_a_load_and_the_one_that_is_there(make: Project) -> None:
    config = make()
    first, second = {**event(1, total=1), "messageId": "same"}, {**event(2, total=2), "messageId": "same"}
    put(config, "a.gz", lines(second, first, second))
    run(config)
    put(config, "b.gz", lines({**event(0, total=0), "messageId": "same"}, event(3)))
    [later] = run(config)
    assert (later.rows, later.duplicates) == (1, 1)
    assert own(reading.table(config, "order_completed")) == [{}, {"total": 1}]


def test_users_and_accounts_have_the_newest_value_of_each_trait(make: Project) -> None:
    config = make()
    group = {"type": "group", "messageId": "g1", "userId": "u", "groupId": "g", "receivedAt": "2026-01-01T05:10:09Z"}
    put(config, "a.gz", lines(identify(5, "u", plan="pro", city="Köln"), identify(3, "u", plan="free", age=30)))
    put(config, "b.gz", lines(identify(4, "v", plan="free"), {**group, "traits": {"name": "Acme"}}))
    run(config)
    put(config, "c.gz", lines(identify(7, "u", city="Bonn"), identify(2, "v", plan="trial", age=7)))
    run(config)
    people = [{**row, "received_at": row["received_at"].second} for row in reading.table(config, "users")]
    wanted = ("id", "plan", "city", "age", "received_at")
    assert [{name: row[name] for name in wanted if name in row} for row in people] == [
        {"id": "u", "plan": "pro", "city": "Bonn", "age": 30, "received_at": 7},
        {"id": "v", "plan": "free", "age": 7, "received_at": 4},
    ]
    assert [row["name"] for row in reading.table(config, "accounts")] == ["Acme"]


def test_json_keeps_its_values(make: Project) -> None:
    config = make()
    text = '{"a": {"b": [1, 2.50, null, true, "\\u00e9\\ud83d\\ude00\\\\ \\"q\\" \\n"]}}'
    line = lines(event(1, doc=["@"])).replace(b'["@"]', f"[{text}]".encode())
    put(config, "a.gz", line)
    run(config)
    inner = ("array", (Decimal(1), Decimal("2.5"), None, ("boolean", True), 'é😀\\ "q" \n'))
    whole = {("a", ("object", frozenset({("b", inner)})))}
    assert own(reading.table(config, "order_completed")) == [{"doc": ("array", (("object", frozenset(whole)),))}]


@exception("bigquery", "never", "its JSON holds 64 bits and doubles; other numbers are rounded")
def test_json_keeps_numbers_of_any_length(make: Project) -> None:
    config = make()
    put(config, "a.gz", lines(event(1, doc=["@"])).replace(b'"@"', b"1234567890123456789012"))
    run(config)
    assert own(reading.table(config, "order_completed")) == [{"doc": ("array", (Decimal("1234567890123456789012"),))}]


TIMES = [
    ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ("1969-12-31T23:59:59.999999Z", datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ("2024-02-29T12:00:00+14:00", datetime(2024, 2, 28, 22, tzinfo=UTC)),
    ("2026-03-29T02:30:00.123456-12:00", datetime(2026, 3, 29, 14, 30, 0, 123_456, tzinfo=UTC)),
    ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
]


def test_times_are_instants_to_the_microsecond(make: Project) -> None:
    config = make()
    put(config, "a.gz", lines(*(event(number, at=sent) for number, (sent, _) in enumerate(TIMES))))
    run(config)
    assert own(reading.table(config, "order_completed")) == [{"at": stored} for _, stored in TIMES]


def test_names_may_be_reserved_words_or_of_any_script(make: Project) -> None:
    config = make()
    reserved = {"select": 1, "Order": 2, "user": 3, "table": 4, "rows": 5, "Ключ": 6, 'it\'s "a" `name`\\': 7, "id": 8}
    put(config, "a.gz", lines(event(1, "Select", **reserved), event(2, "Группа", x="€"), event(3, "id", id="same")))
    run(config)
    long = "a property whose name is far longer than sixty three bytes, so that some databases cut it short"
    put(config, "b.gz", lines(event(4, "Select", **{long: 1}), event(5, long, **{long: "x"})))
    run(config)
    [result] = run(config, replay=True)
    assert (result.rows, result.changes) == (0, ())
    assert own(reading.table(config, "select"))[0] == {
        "select": 1,
        "order": 2,
        "user": 3,
        "table": 4,
        "rows": 5,
        "klyuch": 6,
        "it_s_a_name": 7,
        "_id": 8,
    }
    assert own(reading.table(config, "gruppa")) == [{"x": "€"}]
    assert own(reading.table(config, "id")) == [{"_id": "same"}]
    name = long.replace(",", "").replace(" ", "_")
    assert own(reading.table(config, name)) == [{name: "x"}]
    assert own(reading.table(config, "select"))[1] == {name: 1}


SHORTER = exception("redshift", "never", "a VARCHAR has 65,535 bytes; a longer text is rejected, `too_long`")


@pytest.mark.parametrize("sizes", [(65_535,), pytest.param((65_536, 1_000_000), marks=SHORTER)], ids=str)
def test_long_texts_are_whole(make: Project, sizes: tuple[int, ...]) -> None:
    config = make()
    sent = [{"text": "x" * size, "wide": "é" * (size // 2)} for size in sizes]
    put(config, "a.gz", lines(*(event(number, **each, doc=[each["text"]]) for number, each in enumerate(sent))))
    run(config)
    found = own(reading.table(config, "order_completed"))
    assert found == [{**each, "doc": ("array", (each["text"],))} for each in sent]


def test_empty_texts_are_no_nulls_and_control_characters_stay(make: Project) -> None:
    config = make()
    put(config, "a.gz", lines(event(1, a="", b='"', c="\\N", d="\\.", e="a\r\nb\tc,d;e", f="null"), event(2, a=None)))
    run(config)
    assert own(reading.table(config, "order_completed")) == [
        {"a": "", "b": '"', "c": "\\N", "d": "\\.", "e": "a\r\nb\tc,d;e", "f": "null"},
        {},
    ]


def test_a_file_without_an_event_is_a_load_without_a_row(make: Project) -> None:
    config = make()
    put(config, "a.gz", b"")
    put(config, "b.gz", b"not json\n")
    [result] = run(config)
    assert (result.state, result.events, result.rows, result.quarantined) == ("done", 1, 0, 1)
    assert run(config) == []
    assert reading.columns(config) == {}
    assert settled(config)


def test_a_table_may_have_a_thousand_columns(make: Project) -> None:
    config = make()
    events = [event(number, **{f"p{10 * number + each}": each for each in range(40)}) for number in range(60)]
    put(config, "a.gz", lines(*events, event(70, **{f"q{each}": "x" for each in range(600)})))
    [result] = run(config)
    assert (result.state, result.rows) == ("done", 61)
    assert len(reading.columns(config)["order_completed"]) == 1001  # `extra` takes what found no room
    assert settled(config)


def test_who_may_make_nothing_is_told_what_to_grant(make: Project, place: Place) -> None:
    if place.denied is None:
        pytest.skip("there are no users: who can open the file may do everything")
    config = make(warehouse=place.denied())
    put(config, "a.gz", lines(event(1)))
    with pytest.raises(WarehouseError) as raised:
        run(config)
    assert (raised.value.fault, raised.value.transient) == ("permission", False)
    steps = {check.name: check for check in doctor(config).checks if check.name.startswith("warehouse")}
    assert steps["warehouse: open"].ok
    assert not steps["warehouse: ledger"].ok
    assert "grant" in steps["warehouse: ledger"].detail


def test_the_doctor_proves_every_step_and_leaves_nothing(make: Project) -> None:
    config = make()
    found = doctor(config)
    assert [check.name for check in found.checks if not check.ok] == []
    assert reading.columns(config, "loader_doctor") == {}
    assert reading.leftovers(config) == []
