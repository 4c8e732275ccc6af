"""Whole loads through the reference, against outcomes written by hand; one section per section of RULES.md."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
import xxhash
from hypothesis import given, settings

from reference.model import Column, File, Outcome, Quarantined, Reject, Settings, State
from reference.shredder import EMPTY, shred
from reference.strategies import event_lines

DAY = datetime(2024, 3, 1, tzinfo=UTC)
USUAL = Settings()
GOOD = '"type":"track","event":"E","userId":"u","messageId":"m"'


def load(*lines: str | bytes, settings: Settings = USUAL, existing: State = EMPTY) -> Outcome:
    """Load one file of these lines."""
    content = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    return shred([File("f", DAY, content)], settings, existing)


def track(properties: str = "{}", *, more: str = "", id_: str = "m", event: str = "E") -> str:
    """A good track call; `more` begins with a comma."""
    return f'{{"type":"track","event":"{event}","userId":"u","messageId":"{id_}","properties":{properties}{more}}}'


def types(outcome: Outcome, table: str = "e") -> dict[str, str]:
    """The types of a table's columns from the data."""
    system = load(track()).tables["e"]
    return {name: column.type for name, column in outcome.tables[table].items() if name not in system}


def column(outcome: Outcome, name: str, table: str = "e") -> list[object]:
    """A column's values, null where the table lacks it."""
    return [row.get(name) for row in outcome.rows[table]]


def rejects(outcome: Outcome) -> list[tuple[str, str, str]]:
    """(column, value, reason) of every reject."""
    return [(each.column, each.value, each.reason) for each in outcome.rejects]


# 1 Lines and events


class Bad(NamedTuple):
    """A line, and the reason it is quarantined for."""

    line: str | bytes
    reason: str


BAD = [
    Bad("x" * 2_000, "line_too_long"),
    Bad(b'{"a":"\xff"}', "invalid_utf8"),
    Bad("[" * 501, "too_deep"),
    Bad("[" * 500, "not_json"),
    Bad("[" * 500 + "]" * 500, "not_object"),
    Bad('{"a":NaN}', "not_json"),
    Bad("1", "not_object"),
    Bad('{"batch":{}}', "batch_not_array"),
    Bad('{"batch":[]}', "empty_batch"),
    Bad('{"batch":[1]}', "not_object"),
    Bad('{"batch":[],"type":null}', "missing_type"),
    Bad("{}", "missing_type"),
    Bad('{"type":5}', "missing_type"),
    Bad('{"type":""}', "missing_type"),
    Bad('{"type":"delete"}', "unknown_type"),
    Bad(f'{{{GOOD},"messageId":5}}', "message_id_not_string"),
    Bad(f'{{{GOOD},"userId":5}}', "user_id_not_string"),
    Bad(f'{{{GOOD},"anonymousId":[]}}', "anonymous_id_not_string"),
    Bad(f'{{{GOOD},"context":[]}}', "context_not_object"),
    Bad(f'{{{GOOD},"properties":""}}', "properties_not_object"),
    Bad('{"type":"group","traits":0}', "traits_not_object"),
    Bad('{"type":"track"}', "missing_event"),
    Bad('{"type":"track","event":""}', "missing_event"),
    Bad('{"type":"track","event":[]}', "event_not_string"),
    Bad('{"type":"page","name":5}', "name_not_string"),
    Bad('{"type":"screen","category":{}}', "category_not_string"),
    Bad('{"type":"group","groupId":null}', "missing_group_id"),
    Bad('{"type":"group","groupId":7}', "group_id_not_string"),
    Bad('{"type":"alias","userId":"u"}', "missing_previous_id"),
    Bad('{"type":"alias","previousId":7}', "previous_id_not_string"),
    Bad('{"type":"identify","userId":"","anonymousId":null}', "missing_user_id"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.reason} {bad.line[:40]!r}")
def test_a_bad_line_is_quarantined(bad: Bad) -> None:
    outcome = load(bad.line, settings=Settings(max_line_bytes=1_000 + 100))
    assert outcome.quarantine == [Quarantined("f", 1, bad.reason)]
    assert (outcome.counts["events"], outcome.counts["quarantined"], outcome.tables) == (1, 1, {})


def test_blank_lines_are_counted_but_are_no_events() -> None:
    outcome = load(b"\xef\xbb\xbf \t\r", "", "x\r", " " + track() + " \r")
    assert outcome.quarantine == [Quarantined("f", 3, "not_json")]
    assert outcome.counts["rows"] == 1


def test_types_are_known_in_any_letter_case_and_null_is_absent() -> None:
    outcome = load('{"type":"IDENTIFY","userId":"u","traits":null,"context":null,"messageId":null}')
    assert column(outcome, "user_id", "identifies") == ["u"]


def test_an_element_inherits_from_its_envelope_what_it_lacks() -> None:
    outcome = load(
        '{"receivedAt":"2024-03-02","sentAt":"2024-03-03","context":{"ip":"1","a":{"b":1,"c":1},"z":1},"batch":['
        f'{{{GOOD},"receivedAt":null,"sentAt":"2024-03-04","context":{{"a":{{"b":2}},"z":null}}}},{{{GOOD},"messageId":"n"}},3]}}'
    )
    assert column(outcome, "received_at") == [datetime(2024, 3, 2, tzinfo=UTC)] * 2
    assert [at.day for at in column(outcome, "sent_at") if isinstance(at, datetime)] == [4, 3]
    assert column(outcome, "context_ip") == ["1", "1"]
    assert column(outcome, "context_a_b") == [2, 1]
    assert column(outcome, "context_a_c") == [None, 1]
    assert column(outcome, "context_z") == [None, 1]
    assert outcome.quarantine == [Quarantined("f", 1, "not_object")]


# 2 Tables and system columns


def test_every_call_has_its_table() -> None:
    outcome = load(
        track(event="Users"),
        '{"type":"identify","userId":"u"}',
        '{"type":"page","userId":"u"}',
        '{"type":"screen","userId":"u"}',
        '{"type":"group","userId":"u","groupId":"g"}',
        '{"type":"alias","userId":"u","previousId":"p","context":{"ip":"1"}}',
    )
    events = {"_users", "tracks"}
    assert set(outcome.tables) == events | {"identifies", "pages", "screens", "groups", "aliases", "users", "accounts"}
    assert outcome.rows["tracks"][0]["event"] == "_users"
    assert outcome.rows["tracks"][0]["event_text"] == "Users"
    assert column(outcome, "previous_id", "aliases") == ["p"]
    assert column(outcome, "context_ip", "aliases") == ["1"]
    assert outcome.counts["rows"] == 6


def test_an_event_without_an_id_is_named_after_its_text() -> None:
    call = '{"type":"page","userId":"u"}'
    outcome = load(f" {call}\r", f'{{"batch":[{call}]}}')
    texts = [call, f'{{"batch":[{call}]}}#0']
    assert column(outcome, "id", "pages") == ["h_" + xxhash.xxh3_128_hexdigest(text.encode()) for text in texts]


def test_timestamps_that_are_none_are_rejected_and_replaced() -> None:
    sent = ',"receivedAt":"x","timestamp":5,"sentAt":"2024-02-01T00:00:02Z","originalTimestamp":"2024-02-01"'
    outcome = load(track(more=sent))
    assert column(outcome, "received_at") == [DAY]
    assert column(outcome, "timestamp") == [DAY - timedelta(seconds=2)]
    assert rejects(outcome) == [("received_at", '"x"', "not_timestamp"), ("timestamp", "5", "not_timestamp")]


def test_data_never_takes_a_system_column() -> None:
    outcome = load(
        track('{"id":1,"Received At":1,"extra":1,"context":{"ip":1},"context":{"ip":2},"name":1,"loadId":1}')
    )
    assert set(types(outcome)) == {"_id", "_received_at", "_extra", "_context_ip", "name", "_load_id"}
    assert rejects(outcome) == [("context", '{"ip":1}', "duplicate_key")]


def test_the_name_of_a_page_comes_before_its_properties() -> None:
    page = '{"type":"page","userId":"u","messageId":"%s","name":"%s","properties":{"name":"b","Name":"b","category":5}}'
    outcome = load(page % ("1", "a"), page % ("2", ""))
    assert column(outcome, "name", "pages") == ["a", "b"]
    assert column(outcome, "category", "pages") == ["5", "5"]
    assert rejects(outcome) == [("name", '"b"', "same_column")] * 2


def test_tracks_holds_context_but_no_properties() -> None:
    outcome = load(track('{"a":1}', more=',"context":{"b":1}'))
    assert types(outcome, "tracks") == {"context_b": "integer"}


# 4 and 5 Values and types


def test_objects_are_flattened_to_max_depth() -> None:
    outcome = load(track('{"a":{"b":{"c":1,"d":{},"e":[]}},"n":null,"o":{}}'), settings=Settings(max_depth=2))
    assert types(outcome) == {"a_b": "json"}
    assert column(outcome, "a_b") == [{"c": 1, "d": {}, "e": []}]
    assert types(load(track('{"a":{"b":{"c":1,"d":{},"e":[]}}}'))) == {"a_b_c": "integer", "a_b_e": "json"}


def test_a_context_column_has_one_type_in_all_event_tables() -> None:
    first = load(track(more=',"context":{"a":1}'), track(more=',"context":{"a":2}', event="F", id_="n"))
    outcome = load(track(more=',"context":{"a":1.5}', id_="o"), existing=first.state)
    for table, values in {"e": [1.0, 1.5], "f": [2.0], "tracks": [1.0, 2.0, 1.5]}.items():
        assert outcome.tables[table]["context_a"] == Column("double")
        assert column(outcome, "context_a", table) == values


def test_what_an_existing_column_cannot_hold_is_rejected() -> None:
    first = load(track('{"a":9007199254740993,"b":true,"c":"2024-01-01","d":1.5}'))
    outcome = load(track('{"a":1.5,"b":"no","c":"soon","d":[]}', id_="n"), existing=first.state)
    assert outcome.tables["e"]["a"] == Column("integer", big=True)
    assert [column(outcome, name)[1] for name in "abcd"] == [None] * 4
    assert outcome.rejects == [
        Reject("e", "n", "a", "1.5", "not_integer", "f", 1),
        Reject("e", "n", "b", '"no"', "not_boolean", "f", 1),
        Reject("e", "n", "c", '"soon"', "not_timestamp", "f", 1),
        Reject("e", "n", "d", "[]", "not_double", "f", 1),
    ]


def test_spellings_share_a_column_and_the_first_by_code_points_is_stored() -> None:
    outcome = load(track('{"foo_bar":2,"fooBar":1,"Foo Bar":null,"foo":{"bar":1.0}}'))
    assert types(outcome) == {"foo_bar": "double"}
    assert column(outcome, "foo_bar") == [1.0]
    assert rejects(outcome) == [("foo_bar", "2", "same_column")]


def test_of_a_key_sent_twice_the_last_counts() -> None:
    outcome = load(track('{"a":{"b":1,"b":2},"c":"x","c":null,"c":3,"d":[{"e":1,"e":2}]}'))
    assert types(outcome) == {"a_b": "integer", "c": "integer", "d": "json"}
    assert rejects(outcome) == [("a_b", "1", "duplicate_key"), ("c", '"x"', "duplicate_key")]


def test_what_cannot_be_stored_is_replaced_and_rejected() -> None:
    sent = ['"\\u0000"', '[{"\\ud800":"\\ud83d\\ude00"}]']
    outcome = load(track(f'{{"a":{sent[0]},"b":{sent[1]}}}', id_="\\udc00"))
    assert column(outcome, "a") == ["\ufffd"]
    assert column(outcome, "b") == [[{"\ufffd": "😀"}]]
    assert {each.row_id for each in outcome.rejects} == {"\ufffd"}
    expected = [("id", '"\\udc00"'), ("a", sent[0]), ("b", sent[1])]
    assert rejects(outcome) == [(name, value, "unstorable_text") for name, value in expected]


@settings(max_examples=60, deadline=None)
@given(event_lines())
def test_every_event_ends_as_exactly_one_thing(lines: list[bytes]) -> None:
    counts = load(*lines).counts
    ends = counts["rows"] + counts["duplicates"] + counts["filtered"] + counts["quarantined"]
    assert counts["events"] == ends
