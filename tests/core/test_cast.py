"""What each column type stores of each kind of value (RULES 5.1 and 5.2), one by one and whole arrays."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.core.cast import ARROW, cast, json_text, kinds, same_json, text
from loader.core.leaves import Leaf
from loader.core.types import ColumnType, Kind, Kinds

LOST = None  # null in the column, and a reject
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def leaf(*values: object, json: bool = False, digits: bool = False) -> Leaf:
    return Leaf(("properties", "a"), pa.array(values), json=json or digits, digits=digits)


class Case(NamedTuple):
    """A value, and what a column of each type holds."""

    sent: Leaf
    boolean: object
    integer: object
    double: object
    timestamp: object
    string: object
    json: object


CASES = {
    "true": Case(leaf(True), True, LOST, LOST, LOST, "true", "true"),
    "false": Case(leaf(False), False, LOST, LOST, LOST, "false", "false"),
    "an integer": Case(leaf(-7), LOST, -7, -7.0, LOST, "-7", "-7"),
    "zero": Case(leaf(0), LOST, 0, 0.0, LOST, "0", "0"),
    "the last exact integer": Case(leaf(2**53), LOST, 2**53, 2.0**53, LOST, "9007199254740992", "9007199254740992"),
    "an integer that rounds": Case(
        leaf(2**53 + 1), LOST, 2**53 + 1, LOST, LOST, "9007199254740993", "9007199254740993"
    ),
    "a big exact integer": Case(leaf(2**60), LOST, 2**60, 2.0**60, LOST, "1152921504606846976", "1152921504606846976"),
    "the last integer": Case(
        leaf(2**63 - 1), LOST, 2**63 - 1, LOST, LOST, "9223372036854775807", "9223372036854775807"
    ),
    "the first integer": Case(
        leaf(-(2**63)), LOST, -(2**63), -(2.0**63), LOST, "-9223372036854775808", "-9223372036854775808"
    ),
    "a fraction": Case(leaf(1.5), LOST, LOST, 1.5, LOST, "1.5", "1.5"),
    "a whole double": Case(leaf(3.0), LOST, 3, 3.0, LOST, "3", "3"),
    "minus zero": Case(leaf(-0.0), LOST, 0, 0.0, LOST, "0", "0"),
    "a whole double from 2^53": Case(
        leaf(2.0**53), LOST, 2**53, 2.0**53, LOST, "9007199254740992.0", "9007199254740992.0"
    ),
    "a double beyond 64 bits": Case(
        leaf(2.0**63), LOST, LOST, 2.0**63, LOST, "9.223372036854776e+18", "9.223372036854776e+18"
    ),
    "the first integer as a double": Case(
        leaf(-(2.0**63)), LOST, -(2**63), -(2.0**63), LOST, "-9.223372036854776e+18", "-9.223372036854776e+18"
    ),
    "a tiny double": Case(leaf(5e-324), LOST, LOST, 5e-324, LOST, "5e-324", "5e-324"),
    "a timestamp": Case(leaf("2026-01-01"), LOST, LOST, LOST, DAY, "2026-01-01", '"2026-01-01"'),
    "prose": Case(leaf('say "hi"\n'), LOST, LOST, LOST, LOST, 'say "hi"\n', r'"say \"hi\"\n"'),
    "an empty string": Case(leaf(""), LOST, LOST, LOST, LOST, "", '""'),
    "the string true": Case(leaf("true"), True, LOST, LOST, LOST, "true", '"true"'),
    "the string True": Case(leaf("True"), LOST, LOST, LOST, LOST, "True", '"True"'),
    "the string 1": Case(leaf("1"), LOST, 1, 1.0, LOST, "1", '"1"'),
    "the string 1.0": Case(leaf("1.0"), LOST, 1, 1.0, LOST, "1.0", '"1.0"'),
    "the string -1.5e1": Case(leaf("-1.5e1"), LOST, -15, -15.0, LOST, "-1.5e1", '"-1.5e1"'),
    "the string 0.1": Case(leaf("0.1"), LOST, LOST, 0.1, LOST, "0.1", '"0.1"'),
    "a string that a double would round": Case(
        leaf("0.1234567890123456789"), LOST, LOST, LOST, LOST, "0.1234567890123456789", '"0.1234567890123456789"'
    ),
    "a string of 64 bits": Case(
        leaf("9223372036854775807"), LOST, 2**63 - 1, LOST, LOST, "9223372036854775807", '"9223372036854775807"'
    ),
    "a string beyond 64 bits": Case(
        leaf("9223372036854775808"), LOST, LOST, LOST, LOST, "9223372036854775808", '"9223372036854775808"'
    ),
    "a string beyond binary64": Case(leaf("1e999"), LOST, LOST, LOST, LOST, "1e999", '"1e999"'),
    "the string 007": Case(leaf("007"), LOST, LOST, LOST, LOST, "007", '"007"'),
    "the string +1": Case(leaf("+1"), LOST, LOST, LOST, LOST, "+1", '"+1"'),
    "a number between spaces": Case(leaf(" 1"), LOST, LOST, LOST, LOST, " 1", '" 1"'),
    "the string NaN": Case(leaf("NaN"), LOST, LOST, LOST, LOST, "NaN", '"NaN"'),
    "an Arabic digit": Case(leaf("١"), LOST, LOST, LOST, LOST, "١", '"١"'),
    "an array": Case(leaf("[1, 2]", json=True), LOST, LOST, LOST, LOST, "[1, 2]", "[1, 2]"),
    "an object": Case(leaf('{"a":1}', json=True), LOST, LOST, LOST, LOST, '{"a":1}', '{"a":1}'),
    "many digits": Case(
        leaf("123456789012345678901", digits=True),
        *(LOST, LOST, LOST, LOST, "123456789012345678901", "123456789012345678901"),
    ),
    "a number beyond binary64": Case(leaf("1e999", digits=True), LOST, LOST, LOST, LOST, "1e999", "1e999"),
}


@pytest.mark.parametrize("wanted", ColumnType, ids=lambda kind: f"in a {kind.value} column")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_value_in_a_column(case: Case, wanted: ColumnType) -> None:
    expected = getattr(case, wanted.value)
    found, lost = cast(case.sent, wanted)
    assert found.type == ARROW[wanted]
    assert found.to_pylist() == [expected]
    assert lost == ([0] if expected is LOST else [])


@pytest.mark.parametrize("wanted", ColumnType, ids=lambda kind: kind.value)
@pytest.mark.parametrize("sent", [pa.bool_(), pa.int64(), pa.float64(), pa.string()], ids=str)
def test_nulls_stay_null_and_are_not_lost(sent: pa.DataType, wanted: ColumnType) -> None:
    found, lost = cast(Leaf(("a",), pa.nulls(2, sent)), wanted)
    assert (found.to_pylist(), found.type, lost) == ([None, None], ARROW[wanted], [])


SETS = [
    [case.sent for case in CASES.values() if pa.types.is_boolean(case.sent.array.type)],
    [case.sent for case in CASES.values() if pa.types.is_integer(case.sent.array.type)],
    [case.sent for case in CASES.values() if pa.types.is_floating(case.sent.array.type)],
    [case.sent for case in CASES.values() if pa.types.is_string(case.sent.array.type) and not case.sent.json],
    [case.sent for case in CASES.values() if case.sent.json and not case.sent.digits],
    [case.sent for case in CASES.values() if case.sent.digits],
]


@pytest.mark.parametrize("wanted", ColumnType, ids=lambda kind: kind.value)
@pytest.mark.parametrize("leaves", SETS, ids=["booleans", "integers", "doubles", "strings", "json", "digits"])
def test_values_among_others_are_stored_as_they_are_alone(leaves: Sequence[Leaf], wanted: ColumnType) -> None:
    array = pa.concat_arrays([pa.nulls(1, leaves[0].array.type), *(each.array for each in leaves)])
    found, lost = cast(Leaf(("a",), array, json=leaves[0].json, digits=leaves[0].digits), wanted)
    alone = [cast(each, wanted)[0][0].as_py() for each in leaves]
    assert found.to_pylist() == [None, *alone]
    assert lost == [row for row, value in enumerate(alone, start=1) if value is None]


DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.floats(1e-5, 1e11) | st.integers(-(10**11), 10**11).map(float) | st.decimals(-100, 100, places=2).map(float)


@given(st.lists(st.none() | DOUBLES | PLAIN, max_size=6))
def test_doubles_have_the_same_text_in_an_array_as_alone(values: list[float | None]) -> None:
    sent = Leaf(("a",), pa.array(values, pa.float64()))
    expected = [None if value is None else text(value) for value in values]
    for wanted in (ColumnType.STRING, ColumnType.JSON):
        assert cast(sent, wanted)[0].to_pylist() == expected


@given(DOUBLES | PLAIN)
def test_a_double_is_read_back_from_its_text(value: float) -> None:
    assert float(text(value)) == value
    assert cast(leaf(text(value)), ColumnType.DOUBLE)[0].to_pylist() == [value]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4))
def test_integers_become_doubles_only_where_exact(values: list[int]) -> None:
    found, lost = cast(leaf(*values), ColumnType.DOUBLE)
    assert lost == [row for row, value in enumerate(values) if int(float(value)) != value]
    assert all(
        int(double) == value for double, value in zip(found.to_pylist(), values, strict=True) if double is not None
    )


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (leaf(True, None), Kind.BOOLEAN),
        (leaf(2**53, -(2**53)), Kind.INTEGER),
        (leaf(1, 2**53 + 1), Kind.INTEGER | Kind.BIG),
        (leaf(1, -(2**53) - 1), Kind.INTEGER | Kind.BIG),
        (leaf(1.0), Kind.DOUBLE),
        (leaf("2026-01-01", None), Kind.TIMESTAMP),
        (leaf("2026-01-01", "soon"), Kind.STRING),
        (leaf("[]", json=True), Kind.JSON),
        (leaf("1e999", digits=True), Kind.DIGITS),
        (Leaf(("a",), pa.nulls(2, pa.string())), Kind.NONE),
    ],
    ids=[
        *(
            "booleans",
            "integers that a double holds",
            "a big integer",
            "a big negative integer",
            "doubles",
            "a timestamp",
        ),
        *("a timestamp and a word", "an array", "digits", "nulls only"),
    ],
)
def test_the_kinds_of_values(sent: Leaf, expected: Kinds) -> None:
    assert kinds(sent, timestamps_matter=True) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(leaf("a\x1f\\"), r'"a\u001F\\"'), (leaf(True), "true"), (leaf(2.0), "2"), (leaf("[1]", json=True), "[1]")],
    ids=["a string", "true", "a whole double", "an array"],
)
def test_a_value_as_json(sent: Leaf, expected: str) -> None:
    assert json_text(sent, 0) == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1", "1.0", True),
        ("[1, 2]", "[1,2]", True),
        (r'"\u0061"', '"a"', True),
        ('{"a":1,"b":2}', '{"b":2,"a":1}', True),
        ("true", "1", False),
        ("[true]", "[1]", False),
        ('{"a":false}', '{"a":0}', False),
        ('"1"', "1", False),
        ("[1,2]", "[2,1]", False),
        ("[1,2]", "[1,2,3]", False),
        ('{"a":[1]}', '{"b":[1]}', False),
        ("[]", "{}", False),
        pytest.param("[" * 497 + "1" + "]" * 497, "[" * 497 + "1.0" + "]" * 497, True, id="as deep as a value can be"),
        pytest.param("[" * 497 + "1" + "]" * 497, "[" * 497 + "2" + "]" * 497, False, id="as deep, and different"),
    ],
)
def test_whether_two_json_texts_have_one_value(one: str, other: str, same: bool) -> None:
    assert same_json(one, other) is same
