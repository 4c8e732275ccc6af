"""What all shards found makes one schema, whatever their order, and only what does not fit it is written again."""

from collections.abc import Mapping
from itertools import permutations

import pytest

from loader.core.report import BOTH, EITHER, MIXED, Found, Part, Report, TableReport
from loader.core.schema import Column, Tables
from loader.core.settling import replaced, settle
from loader.core.types import ColumnType, Kind, Kinds

ORDER = "order_completed"


def part(key: str, columns: Mapping[str, str], *, overflow: tuple[str, ...] = ()) -> Part:
    return Part(key, rows=10, size=1_000, columns=columns, overflow=overflow)


def report(columns: Mapping[str, Found], *parts: Part) -> Report:
    """Return what a shard found in one event table, and so in `tracks`."""
    shared = {name: found for name, found in columns.items() if name.startswith("context_")}
    return Report({ORDER: TableReport("track", columns, parts), "tracks": TableReport("track", shared, parts)}, {})


def one_column(kinds: Kinds, spelled: str) -> Report:
    return report({"total": Found(kinds, rows=1)}, part(f"{kinds}/{spelled}", {"total": spelled}))


def written_again(
    reports: list[Report], *, known: Tables | None = None, max_columns: int = 1000
) -> dict[int, set[str]]:
    found = settle(known or {}, reports, max_columns=max_columns)
    return {shard: set(tables) for shard, tables in found.again.items()}


def exists(column: Column) -> Tables:
    return {ORDER: {"total": column}, "tracks": {}}


# One finds integers and a page of the web, one doubles and a phone, one strings and too many columns of its own.
THREE = (
    report(
        {
            "total": Found(Kind.INTEGER, rows=5, first=10, spelled=("properties.total",)),
            "context_page_url": Found(Kind.STRING, rows=5, first=10),
            "context_os": Found(Kind.INTEGER, rows=1, first=11),
        },
        part("a", {"total": "integer", "context_page_url": "string", "context_os": "integer"}),
    ),
    report(
        {
            "total": Found(Kind.DOUBLE, rows=2, first=20, spelled=("properties.Total",)),
            "context_device_id": Found(Kind.STRING, rows=2, first=20),
            "context_os": Found(Kind.STRING, rows=1, first=21),
        },
        part("b", {"total": "double", "context_device_id": "string", "context_os": "string"}),
    ),
    report(
        {
            "total": Found(Kind.JSON, rows=1, first=30),
            "coupon": Found(Kind.STRING, rows=9, first=30),
            "rare": Found(Kind.STRING, rows=1, first=31),
        },
        part("c", {"total": MIXED, "coupon": "string", "rare": "string"}),
    ),
)
ORDERS = list(permutations(range(3)))


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("max_columns", [1000, 14, 12])
def test_the_order_of_the_reports_does_not_matter(order: tuple[int, ...], max_columns: int) -> None:
    straight = settle({}, THREE, max_columns=max_columns)
    turned = settle({}, [THREE[index] for index in order], max_columns=max_columns)
    assert turned.tables == straight.tables
    assert turned.known == straight.known
    assert {order[shard]: names for shard, names in turned.again.items()} == straight.again


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_the_order_of_the_reports_does_not_change_the_order_of_columns(order: tuple[int, ...]) -> None:
    straight = settle({}, THREE, max_columns=1000)
    turned = settle({}, [THREE[index] for index in order], max_columns=1000)
    assert {table: list(columns) for table, columns in turned.tables.items()} == {
        table: list(columns) for table, columns in straight.tables.items()
    }


def test_three_reports_make_one_schema() -> None:
    tables = settle({}, THREE, max_columns=1000).tables
    own = {name: column.type.value for name, column in tables[ORDER].items()}
    assert {name: own[name] for name in ("total", "coupon", "rare")} == {
        "total": "json",  # an array among them
        "coupon": "string",
        "rare": "string",
    }
    assert own["context_os"] == "string"
    assert tables["tracks"]["context_os"] == tables[ORDER]["context_os"]


class TestWhatIsWrittenAgain:
    @pytest.mark.parametrize(
        ("spelled", "other", "again"),
        [
            pytest.param((Kind.INTEGER, "integer"), (Kind.INTEGER, "integer"), False, id="the same type"),
            pytest.param((Kind.INTEGER, "integer"), (Kind.DOUBLE, "double"), False, id="integers among doubles"),
            pytest.param((Kind.INTEGER, "integer"), (Kind.STRING, "string"), False, id="integers among strings"),
            pytest.param((Kind.DOUBLE, "double"), (Kind.BIG, "integer"), False, id="doubles and big integers: text"),
            pytest.param((Kind.BOOLEAN, "boolean"), (Kind.JSON, "json"), False, id="booleans among arrays"),
            pytest.param((Kind.TIMESTAMP, BOTH), (Kind.TIMESTAMP, BOTH), False, id="timestamps"),
            pytest.param((Kind.TIMESTAMP, BOTH), (Kind.STRING, "string"), False, id="timestamps among strings"),
            pytest.param((Kind.TIMESTAMP, BOTH), (Kind.JSON, "json"), False, id="timestamps among arrays"),
            pytest.param((Kind.STRING, "string"), (Kind.JSON, "json"), False, id="strings among arrays"),
            pytest.param((Kind.STRING | Kind.BOOLEAN, MIXED), (Kind.STRING, "string"), False, id="mixed, as text"),
            pytest.param((Kind.STRING | Kind.BOOLEAN, MIXED), (Kind.JSON, "json"), True, id="mixed, among arrays"),
            pytest.param((Kind.STRING | Kind.BOOLEAN, EITHER), (Kind.STRING, "string"), False, id="either, as text"),
            pytest.param((Kind.STRING | Kind.BOOLEAN, EITHER), (Kind.JSON, "json"), False, id="either, among arrays"),
        ],
    )
    def test_a_new_column(self, spelled: tuple[Kinds, str], other: tuple[Kinds, str], again: bool) -> None:
        assert written_again([one_column(*spelled), one_column(*other)]) == ({0: {ORDER}} if again else {})

    def test_a_double_of_an_integer_column_that_meets_big_integers_elsewhere(self) -> None:
        reports = [one_column(Kind.DOUBLE, "double"), one_column(Kind.BIG, "integer")]
        assert written_again(reports, known=exists(Column(ColumnType.INTEGER))) == {0: {ORDER}}

    def test_nothing_where_an_integer_column_becomes_double(self) -> None:
        reports = [one_column(Kind.DOUBLE, "double"), one_column(Kind.INTEGER, "integer")]
        assert written_again(reports, known=exists(Column(ColumnType.INTEGER))) == {}

    def test_a_column_that_found_no_room(self) -> None:
        reports = [
            report({"common": Found(Kind.STRING, rows=9)}, part("a", {"common": "string"})),
            report({"rare": Found(Kind.STRING, rows=1)}, part("b", {"rare": "string"})),
        ]
        assert written_again(reports, max_columns=12) == {1: {ORDER}}  # 11 of them are system columns

    def test_a_column_that_one_shard_put_into_the_overflow_and_the_table_takes(self) -> None:
        reports = [
            report({"common": Found(Kind.STRING, rows=9)}, part("a", {"common": "string"})),
            report(
                {"common": Found(Kind.STRING, rows=1), "rare": Found(Kind.STRING, rows=2)},
                part("b", {"rare": "string", "extra": "json"}, overflow=("common",)),
            ),
        ]
        assert written_again(reports, max_columns=12) == {1: {ORDER}}

    def test_not_what_is_in_the_overflow_rightly(self) -> None:
        columns = {"common": Found(Kind.STRING, rows=9), "rare": Found(Kind.STRING, rows=1)}
        reports = [report(columns, part("a", {"common": "string", "extra": "json"}, overflow=("rare",)))]
        assert written_again(reports, max_columns=12) == {}


def test_a_table_that_was_full_takes_no_more_in_the_second_round() -> None:
    reports = [report({"common": Found(1, rows=9), "rare": Found(1, rows=1)}, part("a", {"common": "boolean"}))]
    assert settle({}, reports, max_columns=12).known.closed == {ORDER}
    assert settle({}, reports, max_columns=13).known.closed == set()


def test_parts_written_again_take_the_place_of_the_first_ones() -> None:
    first = report({"total": Found(1, rows=1)}, part("first", {"total": "boolean"}))
    again = report({"total": Found(32, rows=7)}, part("second", {"total": "string"}))
    result = replaced(first, again, frozenset({ORDER}))
    assert [each.key for each in result.tables[ORDER].parts] == ["second"]
    assert [each.key for each in result.tables["tracks"].parts] == ["second"]
    assert result.tables[ORDER].columns == {"total": Found(1, rows=1)}  # what was found stays
