"""A column's type depends on the set of kinds alone, holds all of them, and is the narrowest that does."""

from itertools import permutations, product

import pytest

from loader.core.types import ColumnType, Kind, Kinds, column_type

SETS = list(range(256))
ALL = 255
SINGLE = [1 << bit for bit in range(8)]
# What each type holds without loss; of types that hold a set, the first in this order is the narrowest.
HOLDS = {
    ColumnType.BOOLEAN: Kind.BOOLEAN,
    ColumnType.INTEGER: Kind.INTEGER | Kind.BIG,
    ColumnType.DOUBLE: Kind.INTEGER | Kind.DOUBLE,
    ColumnType.TIMESTAMP: Kind.TIMESTAMP,
    ColumnType.STRING: ALL & ~Kind.JSON,
    ColumnType.JSON: ALL,
}


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (Kind.NONE, None),
        (Kind.BOOLEAN, ColumnType.BOOLEAN),
        (Kind.INTEGER, ColumnType.INTEGER),
        (Kind.BIG, ColumnType.INTEGER),
        (Kind.INTEGER | Kind.BIG, ColumnType.INTEGER),
        (Kind.DOUBLE, ColumnType.DOUBLE),
        (Kind.INTEGER | Kind.DOUBLE, ColumnType.DOUBLE),
        (Kind.BIG | Kind.DOUBLE, ColumnType.STRING),  # binary64 would round
        (Kind.INTEGER | Kind.BIG | Kind.DOUBLE, ColumnType.STRING),
        (Kind.TIMESTAMP, ColumnType.TIMESTAMP),
        (Kind.TIMESTAMP | Kind.STRING, ColumnType.STRING),
        (Kind.TIMESTAMP | Kind.INTEGER, ColumnType.STRING),
        (Kind.STRING, ColumnType.STRING),
        (Kind.DIGITS, ColumnType.STRING),
        (Kind.DIGITS | Kind.INTEGER, ColumnType.STRING),
        (Kind.BOOLEAN | Kind.INTEGER, ColumnType.STRING),  # true is not 1
        (Kind.BOOLEAN | Kind.STRING, ColumnType.STRING),
        (Kind.JSON, ColumnType.JSON),
        (Kind.JSON | Kind.STRING, ColumnType.JSON),
        (ALL, ColumnType.JSON),
    ],
    ids=str,
)
def test_a_set_of_kinds_has_its_type(kinds: Kinds, expected: ColumnType | None) -> None:
    assert column_type(kinds) is expected


def test_the_type_is_the_narrowest_that_holds_every_kind() -> None:
    for kinds in SETS:
        holders = [kind for kind, held in HOLDS.items() if not kinds & ~held]
        assert column_type(kinds) is (holders[0] if kinds else None), kinds


def test_kinds_may_come_in_any_order_and_twice() -> None:
    for kinds in product(SINGLE, repeat=3):  # all 512
        assert len({column_type(a | b | c | a) for a, b, c in permutations(kinds)}) == 1, kinds


def test_the_type_of_a_union_holds_what_either_set_had() -> None:
    types = [column_type(kinds) for kinds in SETS]
    for one, other in product(range(256), repeat=2):
        both = types[one | other]
        held = HOLDS[both] if both else Kind.NONE
        assert not (one | other) & ~held


def test_more_kinds_never_make_a_narrower_type() -> None:
    breadth: dict[ColumnType | None, int] = {None: 0, **{kind: int(held).bit_count() for kind, held in HOLDS.items()}}
    sizes = [breadth[column_type(kinds)] for kinds in SETS]
    for one, two, three in product(range(256), range(256), SINGLE):
        assert sizes[one] <= sizes[one | two | three]
