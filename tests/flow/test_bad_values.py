"""Odd values: each is stored whole or rejected by name, as RULES.md §4 and §5 say."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from flow import harness
from flow.harness import HOUR_AT, lines
from loader.config import Config

TYPES = {"BOOLEAN": "boolean", "BIGINT": "integer", "DOUBLE": "double", "VARCHAR": "string", "JSON": "json"}
REVERSED, IN_KEY = '"\\ude00\\ud83d"', '[{"\\ud800":1}]'
MAX, DEEP = 2**63 - 1, "0.1000000000000000055511151231257827021181583404541015625"


class Case(NamedTuple):
    """What is sent as `v`, an event each; what the column is then, and what is not stored as it was sent."""

    id: str
    sent: list[str]
    type: str
    stored: list[Any]
    rejects: list[tuple[str, str]] = []  # noqa: RUF012 - value and reason; of a NamedTuple, never changed


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # year, month, day, …


def told(value: object) -> str:
    """Return a value such that 1, 1.0, true and "1" are four, whatever the time zone's class."""
    return value.isoformat() if isinstance(value, datetime) else repr(value)


CASES = [
    Case("1e400 keeps its text", ["1e400"], "string", ["1e400"]),
    Case("-1E+400 keeps its text", ["-1E+400", "1"], "string", ["-1E+400", "1"]),
    Case("1e-400 is zero in binary64", ["1e-400"], "double", [0.0]),
    Case("the largest double", ["1.7976931348623157e308"], "double", [1.7976931348623157e308]),
    Case("minus zero is zero", ["-0", "-0"], "integer", [0, 0]),
    Case("minus zero with a fraction", ["-0.0"], "double", [-0.0]),
    Case("2^53 and a fraction", ["9007199254740992", "0.5"], "double", [2.0**53, 0.5]),
    Case("2^53+1 and a fraction", ["9007199254740993", "0.5"], "string", ["9007199254740993", "0.5"]),
    Case("2^63-1", [str(MAX), "1"], "integer", [MAX, 1]),
    Case("-2^63", [str(-(2**63)), "1"], "integer", [-(2**63), 1]),
    Case("2^63", [str(2**63), "1"], "string", [str(2**63), "1"]),
    Case("-2^63-1", [str(-(2**63) - 1)], "string", [str(-(2**63) - 1)]),
    Case("2^64", [str(2**64)], "string", [str(2**64)]),
    Case("an integer of 400 digits", ["9" * 400], "string", ["9" * 400]),
    Case("0.1 and many digits", [DEEP, "0.25"], "double", [0.1, 0.25]),
    Case("an exponent", ["1E5", "1e0"], "double", [100000.0, 1.0]),
    Case("a number and a truth", ["1", "true"], "string", ["1", "true"]),
    Case("a number and a text", ["1.50", '"x"'], "string", ["1.5", "x"]),
    Case("an array and a number", ["[1, 2]", "7"], "json", [[1, 2], 7]),
    Case("an empty text", ['""'], "string", [""]),
    Case("the year 1", ['"0001-01-01T00:00:00Z"'], "timestamp", [at(1, 1, 1)]),
    Case("before the year 1, by its offset", ['"0001-01-01T00:00:00+01:00"'], "string", ["0001-01-01T00:00:00+01:00"]),
    Case("the year 0", ['"0000-12-31T23:59:59Z"'], "string", ["0000-12-31T23:59:59Z"]),
    Case("the end of 9999", ['"9999-12-31T23:59:59.999999Z"'], "timestamp", [at(9999, 12, 31, 23, 59, 59, 999999)]),
    Case("after 9999, by its offset", ['"9999-12-31T23:59:59-00:01"'], "string", ["9999-12-31T23:59:59-00:01"]),
    Case("the year 10000", ['"10000-01-01T00:00:00Z"'], "string", ["10000-01-01T00:00:00Z"]),
    Case("an offset", ['"2026-01-01T12:00:00+05:30"'], "timestamp", [at(2026, 1, 1, 6, 30)]),
    Case("an offset of hours", ['"2026-01-01T12:00-08"'], "timestamp", [at(2026, 1, 1, 20)]),
    Case("an offset without a colon", ['"2026-01-01 12:00:00+0530"'], "timestamp", [at(2026, 1, 1, 6, 30)]),
    Case("the widest offset", ['"2026-01-01T00:00:00-23:59"'], "timestamp", [at(2026, 1, 1, 23, 59)]),
    Case("too wide an offset", ['"2026-01-01T00:00:00+24:00"'], "string", ["2026-01-01T00:00:00+24:00"]),
    Case("a leap second", ['"2016-12-31T23:59:60Z"'], "string", ["2016-12-31T23:59:60Z"]),
    Case("hour 24", ['"2026-01-01T24:00:00Z"'], "string", ["2026-01-01T24:00:00Z"]),
    Case("30 February", ['"2026-02-30"', '"2026-02-30T00:00:00Z"'], "string", ["2026-02-30", "2026-02-30T00:00:00Z"]),
    Case("29 February", ['"2024-02-29"'], "timestamp", [at(2024, 2, 29)]),
    Case("29 February of another year", ['"2026-02-29"'], "string", ["2026-02-29"]),
    Case("29 February 1900", ['"1900-02-29"'], "string", ["1900-02-29"]),
    Case("nine digits", ['"2026-01-01T00:00:00.123456789Z"'], "timestamp", [at(2026, 1, 1, 0, 0, 0, 123456)]),
    Case("a comma", ['"2026-01-01T00:00:00,5Z"'], "string", ["2026-01-01T00:00:00,5Z"]),
    Case("a zone without a time", ['"2026-01-01Z"'], "string", ["2026-01-01Z"]),
    Case("Arabic digits", ['"٢٠٢٦-01-01"'], "string", ["٢٠٢٦-01-01"]),
    Case("a time and a text", ['"2026-01-01"', '"soon"'], "string", ["2026-01-01", "soon"]),
    Case("a lone surrogate", ['"a\\ud800b"'], "string", ["a\ufffdb"], [('"a\\ud800b"', "unstorable_text")]),
    Case("a lone low surrogate", ['"\\uDC00"'], "string", ["\ufffd"], [('"\\uDC00"', "unstorable_text")]),
    Case("a pair reversed", [REVERSED], "string", ["\ufffd\ufffd"], [(REVERSED, "unstorable_text")]),
    Case("a pair of surrogates is a letter", ['"\\ud83d\\ude00"'], "string", ["😀"]),
    Case("an escaped backslash before u0000", ['"\\\\u0000"'], "string", ["\\u0000"]),
    Case("NUL", ['"a\\u0000b"'], "string", ["a\ufffdb"], [('"a\\u0000b"', "unstorable_text")]),
    Case("NUL in json", ['["a\\u0000"]'], "json", [["a\ufffd"]], [('["a\\u0000"]', "unstorable_text")]),
    Case("a lone surrogate in a key of json", [IN_KEY], "json", [[{"\ufffd": 1}]], [(IN_KEY, "unstorable_text")]),
    Case("a duplicate key", ['1,"v":2'], "integer", [2], [("1", "duplicate_key")]),
    Case("a key three times, one null", ['"x","v":null,"v":"z"'], "string", ["z"], [('"x"', "duplicate_key")]),
    Case("an object, then a number", ['{"a":1},"v":2'], "integer", [2], [('{"a":1}', "duplicate_key")]),
    Case("nothing but null", ["null"], "", []),
    Case("nothing but an empty object", ["{}"], "", []),
    Case("an empty array", ["[]"], "json", [[]]),
]  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Return a project that has loaded all the cases at once, a table each."""
    made = harness.project(tmp_path_factory.mktemp("values"), load="workers = 1")
    text = '{{"type":"track","event":"Case {0}","messageId":"m{1}","userId":"u","properties":{{"n":{1},"v":{2}}}}}'
    sent = [text.format(number, n, value) for number, case in enumerate(CASES) for n, value in enumerate(case.sent)]
    harness.put(made, "values.jsonl.gz", lines(*sent))
    [result] = harness.run(made)
    assert (result.conserved, result.quarantined, result.problems) == (True, 0, ())
    return made


@pytest.mark.parametrize("number", range(len(CASES)), ids=[each.id for each in CASES])
def test_a_value_is_stored_whole_or_rejected(config: Config, number: int) -> None:
    case, table = CASES[number], f"case_{number}"
    kind = harness.columns(config)[table].get("v", "")
    assert TYPES.get(kind, "timestamp" if kind else "") == case.type
    stored = [row.get("v") for row in harness.rows(config, table)]
    assert list(map(told, stored)) == list(map(told, case.stored or [None] * len(case.sent)))
    refused = sorted((value, reason) for each, _, _, value, reason, *_ in harness.rejects(config) if each == table)
    assert refused == sorted(case.rejects)


SYSTEM = [  # what is sent as receivedAt, what received_at is, whether the value is rejected
    ('"2026-01-01T05:30:00.5Z"', at(2026, 1, 1, 5, 30, 0, 500000), False),
    ('"0001-01-01T00:00:00Z"', at(1, 1, 1), False),
    ('"9999-12-31T23:59:59.999999Z"', at(9999, 12, 31, 23, 59, 59, 999999), False),
    ('"10000-01-01T00:00:00Z"', HOUR_AT, True),
    ('"2026-02-30T00:00:00Z"', HOUR_AT, True),
    ('"2016-12-31T23:59:60Z"', HOUR_AT, True),
    ('"yesterday"', HOUR_AT, True),
    ('""', HOUR_AT, True),
    ("1767225600", HOUR_AT, True),
    ('{"$date":"2026-01-01"}', HOUR_AT, True),
    ("null", HOUR_AT, False),
]


def test_odd_times_of_receipt_fall_back_to_the_partition(project: Any) -> None:
    config = project()
    text = '{{"type":"track","event":"A","messageId":"m{:02}","userId":"u","receivedAt":{}}}'
    harness.put(config, "times.jsonl.gz", lines(*(text.format(n, sent) for n, (sent, *_) in enumerate(SYSTEM))))
    [result] = harness.run(config)
    assert (result.rows, result.quarantined) == (len(SYSTEM), 0)
    assert [row["received_at"] for row in harness.rows(config, "a")] == [received_at for _, received_at, _ in SYSTEM]
    refused = sorted((row, column, value) for _, row, column, value, *_ in harness.rejects(config))
    assert refused == [(f"m{n:02}", "received_at", sent) for n, (sent, _, wrong) in enumerate(SYSTEM) if wrong]


def test_a_timestamp_that_would_leave_the_years_1_to_9999_is_null(project: Any) -> None:
    config = project()
    far = {"receivedAt": "9999-12-31T00:00:00Z", "sentAt": "0001-01-01T00:00:00Z", "originalTimestamp": "2026-01-01"}
    near = {
        "receivedAt": "2026-01-01T05:00:00Z",
        "sentAt": "2026-01-01T04:00:10Z",
        "originalTimestamp": "2026-01-01T04:00:00Z",
    }
    harness.put(
        config, "far.jsonl.gz", lines(*(harness.track(messageId=f"m{n}", **each) for n, each in enumerate((far, near))))
    )
    harness.run(config)
    assert [row["timestamp"] for row in harness.rows(config, "tracks")] == [None, at(2026, 1, 1, 4, 59, 50)]


def test_unstorable_system_texts_are_rows_and_rejects(project: Any) -> None:
    config = project()
    line = '{"type":"track","event":"A\\ud800","messageId":"m\\u0000","userId":"u\\udfff","anonymousId":"a"}'
    harness.put(config, "nul.jsonl.gz", lines(line))
    [result] = harness.run(config)
    assert result.conserved
    [row] = harness.rows(config, "a")
    assert (row["id"], row["user_id"], row["event_text"]) == ("m\ufffd", "u\ufffd", "A\ufffd")
    refused = sorted((column, value, reason) for _, _, column, value, reason, *_ in harness.rejects(config))
    assert refused == [
        ("event_text", '"A\\ud800"', "unstorable_text"),
        ("id", '"m\\u0000"', "unstorable_text"),
        ("user_id", '"u\\udfff"', "unstorable_text"),
    ]


def test_many_arrays_of_texts_and_numbers_are_json(project: Any) -> None:
    config = project()
    sent = [harness.track("Mixed", messageId=f"m{n}", properties={"v": ["a", n]}) for n in range(100)]
    harness.put(config, "mixed.jsonl.gz", lines(*sent))
    [result] = harness.run(config)
    assert result.conserved
    found = harness.query(config, "SELECT v FROM web.mixed")
    assert sorted(text for (text,) in found) == sorted(f'["a", {n}]' for n in range(100))


LATER = [  # type of the column that is there, what comes later, what is stored, whether it is rejected
    ("1", "1e400", None, True),
    ("1", "2.0", 2.0, False),  # the column is widened
    ("9007199254740993", "2.0", 2, False),  # this one cannot be: it holds digits that a double would lose
    ("9007199254740993", "2.5", None, True),
    ("1", '"12"', 12, False),
    ("1", '"12.50"', None, True),
    ("1", str(2**63), None, True),
    ("1", "true", None, True),
    ("1", "[1]", None, True),
    ("1.5", str(2**53 + 1), None, True),
    ("1.5", '"0.1"', 0.1, False),
    ("1.5", f'"{DEEP}"', None, True),
    ("true", '"true"', True, False),
    ("true", "1", None, True),
    ('"2026-01-01"', '"2026-02-30"', None, True),
    ('"2026-01-01"', "1767225600", None, True),
    ('"text"', "9.0", "9", False),
    ('"text"', '["a", 1]', '["a", 1]', False),
    ("[1]", "1e400", None, False),
]


def test_values_of_a_later_load_are_cast_without_loss_or_rejected(project: Any) -> None:
    config = project()
    for number, values in enumerate(zip(*((first, later) for first, later, *_ in LATER), strict=True)):
        text = '{{"type":"track","event":"T {0}","messageId":"m{1}","userId":"u","properties":{{"v":{2}}}}}'
        harness.put(
            config, f"{number}.jsonl.gz", lines(*(text.format(n, number, each) for n, each in enumerate(values)))
        )
        [result] = harness.run(config)
        assert result.conserved
    stored = [harness.query(config, f"SELECT v FROM web.t_{n} WHERE id = 'm1'")[0][0] for n in range(len(LATER))]
    # In a json column a number beyond binary64 is its text, as a number or as a string.
    assert stored.pop() in ("1e400", '"1e400"')
    assert list(map(told, stored)) == [told(each) for _, _, each, _ in LATER[:-1]]
    refused = {(table, value) for table, _, _, value, *_ in harness.rejects(config)}
    assert refused == {(f"t_{n}", later) for n, (_, later, _, wrong) in enumerate(LATER) if wrong}
