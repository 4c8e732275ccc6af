"""The reference's own parts against values written by hand: JSON, names, timestamps, values."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.json_strings import storable
from reference.json_text import NotJsonError, nesting, parse, same
from reference.model import Column, Type
from reference.names import identifier, joined, limited
from reference.strategies import objects
from reference.timestamps import computed, timestamp
from reference.values import Kind, kind, met, new_column, stored, text

B, INT, BIG, D, T, S, J = Kind.BOOLEAN, Kind.INTEGER, Kind.BIG, Kind.DOUBLE, Kind.TIMESTAMP, Kind.STRING, Kind.JSON


@pytest.mark.parametrize(
    "sent",
    [
        "", "{", "[1,]", '{"a":1,}', '{"a"}', '{"a":}', "{1:2}", "{'a':1}", "01", "-01", "+1", "1.", ".5", "1e", "-",
        "NaN",
        "Infinity", "-Infinity", "nul", "True", "1 2", "[1 2]", "[1}", "]",
        '"', '"\x01"', '"\t"', '"\n"', '"\\x"', '"\\u12"',
        '"\\', "\ufeff1", "\x0b1", "\xa01", "1\x00", "// a\n1", '{"a":1 "b":2}', "[" * 10_000, "٣", "1_000", "[,1]",
    ],
)  # fmt: skip
def test_what_rfc_8259_forbids_is_not_json(sent: str) -> None:
    with pytest.raises(NotJsonError):
        parse(sent)


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        (" \t\r\n1 ", 1),
        ("-0", 0),
        ("1E+2", 100.0),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("1e400", float("inf")),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\ud83d\\ud83d\\uDE00"', "\ud83d😀"),
        ('"\\\\ud83d\\u0041\\/\\b\\f\\n\\r\\t\\""', '\\ud83dA/\b\f\n\r\t"'),
        ('"\x7f\u2028"', "\x7f\u2028"),
        ("[ ]", []),
        ('{"a":{"b":[1,{}]},"a":[true,false,null]}', {"a": [True, False, None]}),
    ],
)
def test_json_has_this_value(sent: str, value: object) -> None:
    assert parse(sent).value == value


def test_a_value_keeps_its_text_and_its_duplicate_keys() -> None:
    node = parse(' {"a" : 1.50 , "a":[ 1, "\\u0041"] } ')
    assert node.text == '{"a" : 1.50 , "a":[ 1, "\\u0041"] }'
    assert [(key, child.text) for key, child in node.pairs] == [("a", "1.50"), ("a", '[ 1, "\\u0041"]')]


def test_numbers_of_any_length_are_read() -> None:
    assert parse("1" + "0" * 5_000).value == 10**5_000


def test_nesting_counts_brackets_outside_strings_only() -> None:
    assert nesting('{"[[[\\"[":[1],"b":{}}') == 2
    assert nesting("[" * 501 + "]" * 501) == 501
    assert nesting('["[[[') == 1


def test_500_levels_are_parsed() -> None:
    assert nesting(parse("[" * 500 + "]" * 500).text) == 500


@given(st.one_of(objects(), st.text('{}[]",:0123-+.eE \\untrlf\t', max_size=12)))
def test_python_agrees_on_what_is_json_and_on_its_value(sent: str) -> None:
    try:
        value = json.loads(sent)
    except ValueError:
        with pytest.raises(NotJsonError):
            parse(sent)
    else:
        assert repr(parse(sent).value) == repr(value)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1", "1.0", True),
        ("1", "true", False),
        ("0", "false", False),
        ("1", '"1"', False),
        ('"A"', '"\\u0041"', True),
        ('{"a":1,"b":2}', '{"b":2.0, "a":1}', True),
        ('{"a":1}', '{"a":true}', False),
        ("[1,2]", "[2,1]", False),
        ("[]", "[1]", False),
        ("9007199254740993", "9007199254740992.0", False),
    ],
)
def test_two_values_are_the_same_as_parsed(one: str, other: str, expected: bool) -> None:
    assert same(parse(one), parse(other)) is expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ('"a\\u0000b"', '"a\ufffdb"'),
        ('"\\\\u0000"', '"\\\\u0000"'),
        ('"\\ud83d\\ude00"', '"\\ud83d\\ude00"'),
        ('{"\\udE00":["\\uD83d"]}', '{"\ufffd":["\ufffd"]}'),
        ('"\\ud83d\\ud83d\\ude00"', '"\ufffd\\ud83d\\ude00"'),
    ],
)
def test_nul_and_lone_surrogates_become_the_replacement_character(sent: str, expected: str) -> None:
    assert storable(sent) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("sampleText", "sample_text"), ("samPLE text", "sam_ple_text"), ("sample 2 Text", "sample_2_text"),
        ("FOO:BAR$BAZ", "foo_bar_baz"), ("CStringRef", "cstring_ref"), ("HTTPRequest", "httprequest"),
        ("userID", "user_id"), ("orderIDs", "order_ids"), ("iPhone", "i_phone"), ("THE5r", "the5r"), ("5TEst", "5test"),
        ("f_pX9", "f_p_x9"), ("p_z9Rg", "p_z9_rg"), ("2FA Enabled", "2fa_enabled"), ("$revenue", "revenue"),
        ("__op", "op"), ("abTESTName", "ab_testname"),
        ("café", "cafe"), ("cafe\u0301", "cafe"), ("日本", "ri_ben"), ("Größe", "grosse"), ("a–b", "a_b"),
        ("", "n_e3b0c442"), ("!!", "n_233d26e9"), ("\ud800", "n_83d544cc"),
    ],
)  # fmt: skip
def test_a_key_has_this_identifier(key: str, expected: str) -> None:
    assert identifier(key) == expected


def test_a_path_joins_its_identifiers() -> None:
    assert joined(("userInfo", "", "e-mail")) == "user_info_n_e3b0c442_e_mail"


def test_an_identifier_over_127_bytes_is_cut_and_ends_in_a_digest() -> None:
    assert limited("k" * 127) == "k" * 127
    assert limited("k" * 128) == "k" * 118 + "_69cd344d"


def _at(*parts: int) -> datetime:
    year, month, day, *rest = parts
    return datetime(year, month, day, *rest, tzinfo=UTC)  # type: ignore[misc, arg-type]  # up to four more


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2024-02-29", _at(2024, 2, 29)),
        ("2024-02-29T12:34", _at(2024, 2, 29, 12, 34)),
        ("2024-02-29 12:34:56Z", _at(2024, 2, 29, 12, 34, 56)),
        ("2024-02-29T12:34:56.1", _at(2024, 2, 29, 12, 34, 56, 100_000)),
        ("2024-02-29T12:34:56.1234569Z", _at(2024, 2, 29, 12, 34, 56, 123_456)),
        ("2024-02-29T12:34+02", _at(2024, 2, 29, 10, 34)),
        ("2024-02-29T12:34:56-0530", _at(2024, 2, 29, 18, 4, 56)),
        ("2024-02-29T12:34:56+23:59", _at(2024, 2, 28, 12, 35, 56)),
        ("0001-01-01T01:00+01:00", _at(1, 1, 1)),
        ("9999-12-31T23:59:59.9999999", _at(9999, 12, 31, 23, 59, 59, 999_999)),
        *((sent, None) for sent in (
            "2023-02-29", "2024-13-01", "2024-00-01", "0000-01-01", "2024-02-29T24:00", "2024-02-29T12:60",
            "2024-02-29T12:34:60",
            "2024-02-29T12", "2024-02-29Z", "2024-02-29+01", "2024-02-29T12:34:56.", "2024-02-29T12:34:56z",
            "2024-02-29t12:34",
            "2024-02-29T12:34+24", "2024-02-29T12:34+05:60", "2024-02-29T12:34+5", "2024-02-29T12:34 Z", "2024-02-29\n",
            " 2024-02-29", "20240229", "24-02-29", "٢٠٢٤-02-29", "0001-01-01T00:00+01", "9999-12-31T23:59:59-01", "",
        )),
    ],
)  # fmt: skip
def test_a_string_is_this_timestamp(sent: str, expected: datetime | None) -> None:
    assert timestamp(sent) == expected


def test_the_computed_timestamp_corrects_the_clock_of_the_device() -> None:
    noon = _at(2024, 3, 1, 12)
    assert computed(noon, noon + timedelta(hours=2), noon + timedelta(hours=1)) == _at(2024, 3, 1, 11)
    assert computed(noon, None, noon) is None
    assert computed(_at(1, 1, 1), _at(2024, 1, 1), _at(2023, 1, 1)) is None


@pytest.mark.parametrize(
    ("sent", "expected", "as_text"),
    [
        ("true", B, "true"), ("-0", INT, "0"), ("9007199254740992", INT, "9007199254740992"),
        ("-9007199254740993", BIG, "-9007199254740993"), ("9223372036854775807", BIG, "9223372036854775807"),
        ("9223372036854775808", S, "9223372036854775808"), ("-9223372036854775808", BIG, "-9223372036854775808"),
        ("1.50", D, "1.5"), ("1e5", D, "100000"), ("-0.0", D, "0"), ("1e-7", D, "1e-07"), ("1e400", S, "1e400"),
        ("9007199254740991.0", D, "9007199254740991"), ("9007199254740992.0", D, "9007199254740992.0"),
        ("1e16", D, "1e+16"),
        ('"2024-01-01"', T, "2024-01-01"), ('"x\\n"', S, "x\n"), ('""', S, ""), ("[]", J, "[]"),
        ('{"a": 1.50}', J, '{"a": 1.50}'),
    ],
)  # fmt: skip
def test_a_value_has_this_kind_and_text(sent: str, expected: Kind, as_text: str) -> None:
    assert (kind(parse(sent)), text(parse(sent))) == (expected, as_text)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({B}, Column("boolean")), ({INT}, Column("integer")), ({INT, BIG}, Column("integer", big=True)),
        ({D}, Column("double")),
        ({D, INT}, Column("double")), ({D, BIG}, Column("string")), ({T}, Column("timestamp")),
        ({T, S}, Column("string")),
        ({B, INT}, Column("string")), ({S, J}, Column("json")), ({B, J}, Column("json")),
    ],
)  # fmt: skip
def test_a_new_column_has_the_type_of_all_its_kinds(kinds: set[Kind], expected: Column) -> None:
    assert new_column(kinds) == expected


@pytest.mark.parametrize(
    ("column", "kinds", "expected"),
    [
        (Column("integer"), {D, INT}, Column("double")),
        (Column("integer"), {D, S}, Column("double")),
        (Column("integer"), {D, BIG}, Column("integer", big=True)),
        (Column("integer", big=True), {D}, Column("integer", big=True)),
        (Column("integer"), {S, J}, Column("integer")),
        (Column("boolean"), {S}, Column("boolean")),
    ],
)
def test_a_column_that_exists_changes_only_from_integer_to_double(
    column: Column, kinds: set[Kind], expected: Column
) -> None:
    assert met(column, kinds) == expected


@pytest.mark.parametrize(
    ("to", "sent", "expected"),
    [
        ("string", "1.50", "1.5"), ("string", "[ 1.50 ]", "[ 1.50 ]"), ("json", '"2024-01-01"', "2024-01-01"),
        ("json", "1.50", 1.5),
        ("boolean", "false", False), ("boolean", '"true"', True), ("boolean", '"True"', None), ("boolean", "1", None),
        ("timestamp", '"2024-01-01"', _at(2024, 1, 1)), ("timestamp", '"x"', None), ("timestamp", "1", None),
        ("integer", "9223372036854775807", 2**63 - 1), ("integer", "2.0", 2), ("integer", "2.5", None),
        ("integer", "1e18", 10**18),
        ("integer", "1e19", None), ("integer", '"12"', 12), ("integer", '"1.20e1"', 12), ("integer", '"-0"', 0),
        ("integer", '"1.5"', None), ("integer", '"012"', None), ("integer", '" 12"', None),
        ("integer", '"9223372036854775808"', None),
        ("integer", "9223372036854775807.0", None), ("integer", '"9223372036854775807.0"', 2**63 - 1),
        ("integer", "true", None),
        ("integer", '"1e99999999999999999999"', None), ("integer", "[]", None),
        ("integer", "9223372036854775808", None),
        ("double", "1", 1.0), ("double", "9007199254740993", None), ("double", "9007199254740994", 9007199254740994.0),
        ("double", '"0.1"', 0.1), ("double", '"0.10"', 0.1), ("double", '"0.10000000000000001"', None),
        ("double", '"1e400"', None),
        ("double", "1e400", None), ("double", '"1e-400"', None), ("double", "1e-400", 0.0),
        ("double", "100000000000000000000", 1e20),
        ("double", "123456789012345678901", None), ("double", '"1e-99999999999999999999"', None),
        ("double", '"NaN"', None),
    ],
)  # fmt: skip
def test_a_column_stores_what_loses_nothing(to: Type, sent: str, expected: object) -> None:
    value = stored(parse(sent), to)
    assert (type(value), value) == (type(expected), expected)
