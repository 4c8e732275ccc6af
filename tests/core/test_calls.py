"""Reading just enough of a line: its pairs of keys and values, its nesting, its unstorable escapes, its calls."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.core.calls import MAX_NESTING, Envelope, diagnosis, essentials, head, nesting, pairs, storable

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=4)


@given(OBJECTS, st.sampled_from([None, 1]), st.booleans())
def test_the_pairs_of_an_object_are_its_keys_and_values(sent: dict[str, Any], indent: int | None, plain: bool) -> None:
    text = json.dumps(sent, indent=indent, ensure_ascii=not plain).encode()
    assert [(key, json.loads(value)) for key, value in pairs(text)] == list(sent.items())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"{}", []),
        (b"{ }", []),
        (b'{"a":1}', [("a", b"1")]),
        (b'{"":""}', [("", b'""')]),
        (b'{"a":1,"a":2}', [("a", b"1"), ("a", b"2")]),
        (b'{ "a" : [1, {"b":2}] , "c" : null }', [("a", b'[1, {"b":2}]'), ("c", b"null")]),
        (rb'{"\u0061":1.50,"b\"":"\\"}', [("a", b"1.50"), ('b"', rb'"\\"')]),
        (b'{"a":"}{,:","b":{"c":"]"}}', [("a", b'"}{,:"'), ("b", b'{"c":"]"}')]),
        (rb'{"\ud800":1}', [("\ufffd", b"1")]),
    ],
)
def test_pairs_are_as_they_were_sent(text: bytes, expected: list[tuple[str, bytes]]) -> None:
    assert pairs(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'"a\u0000b"', rb'"a\ufffdb"'),
        (rb'"\ud800"', rb'"\ufffd"'),
        (rb'"\uDFFF"', rb'"\ufffd"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),  # a pair
        (rb'"\ude00\ud83d"', rb'"\ufffd\ufffd"'),  # the wrong way round
        (rb'"\ud800\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\ud83d\ude00\ude00"', rb'"\ud83d\ude00\ufffd"'),
        (rb'"\ud83dx\ude00"', rb'"\ufffdx\ufffd"'),
        (rb'"\\u0000"', rb'"\\u0000"'),  # a backslash, then text
        (rb'"\\\u0000"', rb'"\\\ufffd"'),
        (rb'"\u0001\u00001"', rb'"\u0001\ufffd1"'),
        (rb'"\ud7ff\ue000"', rb'"\ud7ff\ue000"'),
    ],
)
def test_nul_and_lone_surrogates_become_the_replacement_character(text: bytes, expected: bytes) -> None:
    assert storable(text) == expected


ESCAPES = [
    "\\u0000",
    "\\ud800",
    "\\uDBFF",
    "\\udc00",
    "\\uDFFF",
    "\\\\",
    "\\n",
    "\\u0041",
    "u0000",
    "a",
    "é",
    "\\uFFFD",
]


@given(st.lists(st.sampled_from(ESCAPES), max_size=8))
def test_storable_text_is_as_long_and_can_be_stored(pieces: list[str]) -> None:
    text = f'"{"".join(pieces)}"'
    clean = storable(text.encode())
    sent = json.loads(text)
    assert len(clean) == len(text.encode())
    assert json.loads(clean) == "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in sent)
    assert storable(clean) == clean


@pytest.mark.parametrize(
    ("line", "depth"),
    [
        (b"", 0),
        (b"1", 0),
        (b"{}", 1),
        (b'{"a":[{}],"b":{}}', 3),
        (b'{"a":"[[[["}', 1),
        (rb'{"a":"\"[["}', 1),
        (rb'{"a\\":[]}', 2),
        (b"[[[", 3),
        (b"]]][[", 0),
        (b'"[[[', 0),  # a string that never ends
        (b"[" * 1_000, 1_000),
    ],
)
def test_how_deep_brackets_nest(line: bytes, depth: int) -> None:
    assert nesting(line) == depth


@given(JSON)
def test_nesting_is_that_of_the_value(sent: Any) -> None:
    def depth(value: Any) -> int:
        below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if below is None else 1 + max(map(depth, below), default=0)

    assert nesting(json.dumps(sent).encode()) == depth(sent)


def test_a_line_may_nest_500_deep() -> None:
    line = b'{"type":"page","userId":"u","a":' + b"[" * (MAX_NESTING - 1) + b"]" * (MAX_NESTING - 1) + b"}"
    assert diagnosis(line) is None
    assert diagnosis(line.replace(b"[]", b"[[]]")) == "too_deep"


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (b'{"type":"track","event":"a","userId":"u"}', None),
        (b'{"type":"PAGE","anonymousId":"u","name":null,"context":null}', None),
        (b'{"type":"track","event":7,"messageId":7}', "message_id_not_string"),  # the first of many reasons
        (b'{"type":"identify","userId":"u","properties":7}', None),  # traits are what an identify has
        (b'{"type":"alias","userId":"u","previousId":""}', "missing_previous_id"),
        (b'{"type":"group","userId":"u","groupId":[]}', "group_id_not_string"),
        (b'{"type":"track","type":"page","userId":"u"}', None),  # the last of two keys counts
        (b'{"type":null,"batch":[]}', "missing_type"),
        (b'{"batch":{}}', "batch_not_array"),
        (b'{"batch":[]}', "empty_batch"),
        pytest.param(b'{"batch":[' + b"0," * (1 << 20) + b"0]}", "too_many_calls", id="more than a row key counts"),
        (b"{} {}", "not_json"),
        (b'{"a":01}', "not_json"),
        (b'{"a":NaN}', "not_json"),
        (b'{"a":"\t"}', "not_json"),
        (rb'{"type":"page","userId":"u","x":"\ud8zz"}', "not_json"),  # half a character, and half of that
        (rb'{"type":"page","userId":"u","x":["\ud8"3d\ude00"]}', "not_json"),
        (rb'{"type":"page","userId":"u","x":"\ud83d\udezz"}', "not_json"),
        (b'"text"', "not_object"),
    ],
)
def test_why_a_line_is_no_event(line: bytes, verdict: str | None) -> None:
    assert diagnosis(line) == verdict


def test_events_of_an_envelope_inherit_what_they_lack() -> None:
    line = b"""{"sentAt":"s","receivedAt":null,"context":{"ip":"1","os":{"a":1}},"batch":[
        {"n":1}, {"sentAt":null,"context":null}, {"sentAt":"own","context":{"os":{"b":2}}}, {"context":"odd"}, 7]}"""
    found = diagnosis(line)
    assert isinstance(found, Envelope)
    lent = {"ip": "1", "os": {"a": 1}}
    assert [json.loads(each) for each in found.elements] == [
        {"n": 1, "context": lent, "sentAt": "s"},
        {"context": lent, "sentAt": "s"},
        {"sentAt": "own", "context": {"ip": "1", "os": {"b": 2}}},
        {"context": "odd", "sentAt": "s"},
        7,
    ]


@pytest.mark.parametrize("line", [b'{"name":5}', b'{"context":[]}', b"[]", b"7", b"{", b"{}{}"])
def test_a_line_that_is_not_as_the_spec_says_has_no_head(line: bytes) -> None:
    assert head(line) is None


def test_an_event_with_odd_fields_has_its_essentials() -> None:
    found = essentials(b'{"type":"track","event":"a","userId":"u","name":5,"sentAt":{}}')
    assert (found.type, found.event, found.userId, found.name) == ("track", "a", "u", None)
