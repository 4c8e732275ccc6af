"""Odd names of events and properties: every one has its table and its column, and none stops a load.

The hashes were made with sha256sum.
"""

from typing import Any, NamedTuple

import pytest

from flow import harness
from flow.harness import lines, track
from loader.config import Config

LONG = "Very Long Event " * 313  # 5,008 characters
LONG_TABLE = ("very_long_event_" * 8)[:118]


class Named(NamedTuple):
    """An event's name as sent, and its table."""

    sent: str
    table: str


EVENTS = [
    Named("Order Completed", "order_completed"),
    Named("ORDER_COMPLETED!", "order_completed"),
    Named("orderCompleted2", "order_completed2"),
    Named("😀", "n_f0443a34"),
    Named("👩‍👩‍👧 🎉", "n_7a847140"),
    Named(" ", "n_36a9e7f1"),
    Named("!?", "n_8faf838e"),
    Named("\u0000", "n_83d544cc"),
    Named("Größe geändert", "grosse_geandert"),
    Named("注文完了", "zhu_wen_wan_le"),
    Named("Tracks", "_tracks"),
    Named("users", "_users"),
    Named("Page s", "page_s"),
    Named("select", "select"),
    Named("Table", "table"),
    Named("'; DROP TABLE web.tracks; --", "drop_table_web_tracks"),
    Named('a"b', "a_b"),
    Named("../../etc/passwd", "etc_passwd"),
    Named("_reports", "reports"),
    Named("manifest.json", "manifest_json"),
    Named("123", "123"),
    Named("CON", "con"),
]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Config:
    made = harness.project(tmp_path_factory.mktemp("events"))
    harness.put(made, "names.jsonl.gz", lines(*(track(each.sent, messageId=f"m{n}") for n, each in enumerate(EVENTS))))
    [result] = harness.run(made)
    assert (result.conserved, result.rows, result.quarantined, result.problems) == (True, len(EVENTS), 0, ())
    return made


@pytest.mark.parametrize("number", range(len(EVENTS)), ids=[ascii(each.sent) for each in EVENTS])
def test_an_event_has_its_table(events: Config, number: int) -> None:
    sent, table = EVENTS[number]
    [row] = [row for row in harness.rows(events, table) if row["id"] == f"m{number}"]
    assert (row["event"], row["event_text"]) == (table, sent.replace("\0", "\ufffd"))


def test_an_event_name_of_5000_characters_is_shortened_with_a_hash(project: Any) -> None:
    config = project()
    other = LONG[:-1] + "x"
    harness.put(
        config,
        "long.jsonl.gz",
        lines(track(LONG, messageId="m1"), track(other, messageId="m2"), track("", messageId="m3")),
    )
    [result] = harness.run(config)
    assert (result.rows, result.quarantined) == (2, 1)
    tables = sorted(set(harness.tables(config)) - {"tracks"})
    assert [len(each) for each in tables] == [127, 127]
    assert all(each.startswith(LONG_TABLE + "_") for each in tables)
    assert {row["event_text"] for row in harness.rows(config, "tracks")} == {LONG, other}


KEYS = {  # as sent, all in one event, → column
    "select": "select",
    "FROM": "from",
    "Order By": "order_by",
    "group": "group",
    "user": "user",
    "null": "null",
    "'; DROP TABLE tracks; --": "drop_table_tracks",
    'a"b': "a_b",
    "": "n_e3b0c442",
    "😀": "n_f0443a34",
    "id": "_id",
    "received_at": "_received_at",
    "Timestamp": "_timestamp",
    "event": "_event",
    "userId": "_user_id",
    "event_text": "_event_text",
    "loaded_at": "_loaded_at",
    "loadId": "_load_id",
    "extra": "_extra",
    "context_ip": "_context_ip",
    "context": "context",
    "name": "name",
    "type": "type",
    "messageId": "message_id",
    "rowid": "rowid",
    "filename": "filename",
    "#row": "row",
    "#hash": "hash",
    "file_row_number": "file_row_number",
    "x" * 200: "x" * 118 + "_aa20c23e",
    "$value": "value",
    "a.b.c": "a_b_c",
    "key\n": "key",
    "Größe": "grosse",
    "place": "place",
    "turn": "turn",
    "content": "content",
    "1st": "1st",
    "1": "1",
    "__proto__": "proto",
}


def test_keys_like_keywords_and_system_columns_have_columns_of_their_own(project: Any) -> None:
    config = project()
    sent = {key: number for number, key in enumerate(KEYS)}
    harness.put(
        config,
        "keys.jsonl.gz",
        lines(track("Keys", messageId="m1", properties=sent, context={"ip": "::1", "extra": 1})),
    )
    [result] = harness.run(config)
    assert (result.rows, result.rejects) == (1, 0)
    [row] = harness.rows(config, "keys")
    assert {column: row.get(column) for column in KEYS.values()} == {column: sent[key] for key, column in KEYS.items()}
    assert (row["id"], row["event"], row["context_ip"], row["context__extra"]) == ("m1", "keys", "::1", 1)


SHARED = [  # properties of a row, what the columns hold, what is rejected as same_column
    ({"Foo Bar": 1, "foo_bar": 2, "fooBar": 3}, {"foo_bar": 1}, ["2", "3"]),
    ({"FOO": None, "foo": 2}, {"foo": 2}, []),
    ({"foo": 5, "Foo": 5}, {"foo": 5}, []),
    ({"foo!": "x", "foo?": "y"}, {"foo": "x"}, ['"y"']),
    ({"foo": 1, "Foo": 1.0}, {"foo": 1.0}, []),
    ({"Foo": 1, "foo": True}, {"foo": "1"}, ["true"]),
    ({"Foo": [0, 2], "foo": [False, 2]}, {"foo": [0, 2]}, ["[false, 2]"]),
    ({"Foo": {"x": "1"}, "foo": {"x": 1}}, {"foo_x": "1"}, ["1"]),
    ({"a": {"b": 1}, "a_b": 2, "a.b": 3}, {"a_b": 1}, ["2", "3"]),
    ({"a": {}}, {}, []),
]
MIXED: list[dict[str, Any]] = [{"a": {"b": 1}}, {"a": 7}, {"a": {"b": 8, "c": {"d": True}}}, {"a": {}}]


def test_keys_that_differ_in_case_or_punctuation_share_a_column(project: Any) -> None:
    config = project()
    sent = [track(f"Shared {n}", messageId=f"m{n}", properties=each) for n, (each, _, _) in enumerate(SHARED)]
    harness.put(config, "keys.jsonl.gz", lines(*sent))
    [result] = harness.run(config)
    assert result.conserved
    plain = set(harness.rows(config, "shared_9")[0])
    for number, (_, wanted, refused) in enumerate(SHARED):
        [row] = harness.rows(config, f"shared_{number}")
        assert {name: value for name, value in row.items() if name not in plain} == wanted
        found = [(each[3], each[4]) for each in harness.rejects(config) if each[1] == f"m{number}"]
        assert sorted(found) == [(value, "same_column") for value in refused]


def test_keys_whose_values_no_double_holds_share_a_column(project: Any) -> None:
    config = project()
    line = '{{"type":"track","event":"Far","messageId":"m{}","userId":"u","properties":{{"Foo":{},"foo":{}}}}}'
    far = "9" * 400
    sent = [("[1e400]", "[2]"), ("[1e400]", "[1e400]"), (f"[{far}]", '["x"]'), ("1e400", '"1e400"'), ("1e400", "1e400")]
    harness.put(config, "keys.jsonl.gz", lines(*(line.format(n, *each) for n, each in enumerate(sent))))
    [result] = harness.run(config)
    assert (result.rows, result.conserved) == (5, True)
    refused = sorted((row, value) for _, row, _, value, *_ in harness.rejects(config))
    assert refused == [("m0", "[2]"), ("m2", '["x"]'), ("m3", '"1e400"')]


def test_an_object_in_one_line_and_a_number_in_the_next_have_columns_of_their_own(project: Any) -> None:
    config = project()
    harness.put(
        config,
        "keys.jsonl.gz",
        lines(*(track("Together", messageId=f"t{n}", properties=each) for n, each in enumerate(MIXED))),
    )
    harness.run(config)
    seen = [{name: row[name] for name in ("a", "a_b", "a_c_d")} for row in harness.rows(config, "together")]
    assert seen == [
        {"a": None, "a_b": 1, "a_c_d": None},
        {"a": 7, "a_b": None, "a_c_d": None},
        {"a": None, "a_b": 8, "a_c_d": True},
        {"a": None, "a_b": None, "a_c_d": None},
    ]
