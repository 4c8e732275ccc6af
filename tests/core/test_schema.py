"""Tables only grow: new columns by the rows that have them, integers to doubles, context columns like `tracks`."""

import pytest

from loader.core.report import Found, Part, TableReport
from loader.core.schema import (
    AddColumn,
    Column,
    CreateTable,
    WidenColumn,
    changes,
    settled,
    widened,
    with_profiles,
)
from loader.core.types import ColumnType, Kind, Kinds

TRACK = "id received_at sent_at original_timestamp timestamp anonymous_id user_id event event_text loaded_at load_id"
BOOLEAN, INTEGER, DOUBLE, STRING, JSON = (
    Column(ColumnType.BOOLEAN),
    Column(ColumnType.INTEGER),
    Column(ColumnType.DOUBLE),
    Column(ColumnType.STRING),
    Column(ColumnType.JSON),
)
BIG = Column(ColumnType.INTEGER, big=True)


def found(kinds: Kinds, rows: int = 1) -> Found:
    return Found(kinds, rows)


def grown(columns: dict[str, Found], *, room: int) -> list[str]:
    """Return the columns that a new event table takes besides its system columns."""
    tables = settled(
        {}, {"tapped": TableReport("track", columns), "tracks": TableReport("track", {})}, max_columns=11 + room
    )
    return list(tables["tapped"])[11:]


@pytest.mark.parametrize(
    ("column", "kinds", "expected"),
    [
        (INTEGER, Kind.INTEGER, INTEGER),
        (INTEGER, Kind.BIG, BIG),
        (INTEGER, Kind.DOUBLE, DOUBLE),
        (INTEGER, Kind.INTEGER | Kind.DOUBLE, DOUBLE),
        (INTEGER, Kind.BIG | Kind.DOUBLE, BIG),
        (INTEGER, Kind.DOUBLE | Kind.STRING, DOUBLE),
        (INTEGER, Kind.STRING | Kind.JSON, INTEGER),
        (BIG, Kind.DOUBLE, BIG),
        (BIG, Kind.NONE, BIG),
        (BOOLEAN, Kind.STRING, BOOLEAN),
        (DOUBLE, Kind.BIG, DOUBLE),
        (STRING, Kind.JSON, STRING),
        (JSON, Kind.INTEGER, JSON),
    ],
)
def test_a_column_that_exists_keeps_its_type_but_for_integers_that_meet_doubles(
    column: Column, kinds: Kinds, expected: Column
) -> None:
    assert widened(column, kinds) == expected


def test_a_new_table_has_its_system_columns_first_then_those_of_most_rows() -> None:
    report = TableReport("track", {"b": found(Kind.BIG, 1), "a": found(Kind.DOUBLE, 1), "z": found(Kind.JSON, 9)})
    tables = settled({}, {"tapped": report, "tracks": TableReport("track", {})}, max_columns=1000)
    assert list(tables["tapped"]) == [*TRACK.split(), "z", "a", "b"]
    assert [tables["tapped"][name] for name in "zab"] == [JSON, DOUBLE, BIG]


@pytest.mark.parametrize(
    ("room", "expected"),
    [(4, ["many", "a", "b", "few"]), (3, ["many", "a", "b"]), (2, ["many", "a"]), (0, []), (-1, [])],
)
def test_columns_are_admitted_by_their_rows_and_then_by_name(room: int, expected: list[str]) -> None:
    columns = {"few": found(Kind.STRING, 1), "b": found(Kind.STRING, 5), "a": found(Kind.STRING, 5)}
    assert grown({**columns, "many": found(Kind.STRING, 9)}, room=room) == expected


def test_a_column_of_nulls_only_is_none() -> None:
    assert grown({"nothing": found(Kind.NONE, 0)}, room=9) == []


def test_columns_that_exist_count_and_are_never_crowded_out() -> None:
    known = {"tapped": {"old": STRING}, "tracks": {}}
    reports = {"tapped": TableReport("track", {"new": found(Kind.STRING, 99)}), "tracks": TableReport("track", {})}
    assert list(settled(known, reports, max_columns=12)["tapped"]) == [*TRACK.split(), "old"]


def test_overflow_columns_come_with_the_parts_that_have_them_and_take_no_room() -> None:
    part = Part("a", rows=1, size=1, columns={"extra": "json", "a": "string"}, overflow=("b",))
    reports = {
        "tapped": TableReport("track", {"a": found(Kind.STRING, 2), "extra": found(Kind.JSON, 1)}, (part,)),
        "tracks": TableReport("track", {}),
    }
    tables = settled({}, reports, max_columns=12)
    assert list(tables["tapped"])[11:] == ["a", "extra"]
    assert tables["tapped"]["extra"] == JSON
    assert list(settled(tables, reports, max_columns=12)["tapped"]) == list(tables["tapped"])


class TestContextColumns:
    def test_they_have_the_type_of_tracks_in_every_event_table(self) -> None:
        reports = {
            "tapped": TableReport("track", {"context_os": found(Kind.INTEGER)}),
            "swiped": TableReport("track", {"context_os": found(Kind.STRING)}),
            "tracks": TableReport("track", {"context_os": found(Kind.INTEGER | Kind.STRING, 2)}),
        }
        tables = settled({}, reports, max_columns=1000)
        assert {name: columns["context_os"] for name, columns in tables.items()} == dict.fromkeys(reports, STRING)

    def test_an_event_table_has_only_its_own(self) -> None:
        reports = {
            "tapped": TableReport("track", {}),
            "tracks": TableReport("track", {"context_os": found(Kind.STRING)}),
        }
        assert "context_os" not in settled({}, reports, max_columns=1000)["tapped"]

    def test_a_column_that_tracks_has_no_room_for_is_in_no_event_table(self) -> None:
        reports = {
            "tapped": TableReport("track", {"context_rare": found(Kind.STRING), "a": found(Kind.STRING)}),
            "tracks": TableReport("track", {"context_rare": found(Kind.STRING), "context_os": found(Kind.STRING, 5)}),
        }
        tables = settled({}, reports, max_columns=12)
        assert list(tables["tapped"])[11:] == ["a"]
        assert list(tables["tracks"])[11:] == ["context_os"]

    def test_event_tables_outside_the_load_widen_with_tracks(self) -> None:
        known = {
            "tracks": {"context_size": INTEGER, "event_text": STRING},
            "swiped": {"context_size": INTEGER, "event_text": STRING, "speed": INTEGER},
            "idle": {"event_text": STRING},
            "identifies": {"context_size": INTEGER},
        }
        reports = {
            "tapped": TableReport("track", {"context_size": found(Kind.DOUBLE)}),
            "tracks": TableReport("track", {"context_size": found(Kind.DOUBLE)}),
        }
        tables = settled(known, reports, max_columns=1000)
        assert tables["swiped"] == {"context_size": DOUBLE, "event_text": STRING, "speed": INTEGER}
        assert tables.keys() == {"tracks", "tapped", "swiped"}

    def test_other_calls_decide_for_themselves(self) -> None:
        reports = {
            "tracks": TableReport("track", {"context_os": found(Kind.STRING)}),
            "pages": TableReport("page", {"context_os": found(Kind.INTEGER)}),
        }
        assert settled({}, reports, max_columns=1000)["pages"]["context_os"] == INTEGER


class TestChanges:
    def test_a_table_that_is_not_there_is_made_with_all_columns(self) -> None:
        report = TableReport("track", {"a": found(Kind.STRING)})
        assert changes({}, {"tapped": {"id": STRING, "a": STRING}}, {"tapped": report}) == (
            CreateTable("tapped", {"id": STRING, "a": STRING}, {"a": found(Kind.STRING)}),
        )

    def test_columns_are_added_and_widened_in_their_order(self) -> None:
        known = {"tapped": {"id": STRING, "speed": INTEGER, "old": BOOLEAN}}
        wanted = {"tapped": {"id": STRING, "speed": DOUBLE, "new": JSON}}
        report = TableReport("track", {"speed": found(Kind.DOUBLE, 3)})
        assert changes(known, wanted, {"tapped": report}) == (
            WidenColumn("tapped", "speed", ColumnType.INTEGER, ColumnType.DOUBLE, found(Kind.DOUBLE, 3)),
            AddColumn("tapped", "new", ColumnType.JSON, Found()),
        )

    def test_what_only_the_warehouse_has_stays(self) -> None:
        known = {"tapped": {"id": STRING, "theirs": DOUBLE}, "theirs": {"id": STRING}}
        assert changes(known, {"tapped": {"id": STRING}}, {}) == ()

    def test_big_integers_alone_change_nothing_in_the_warehouse(self) -> None:
        assert changes({"tapped": {"a": INTEGER}}, {"tapped": {"a": BIG}}, {}) == ()

    def test_the_schema_that_is_reached_needs_no_more_changes(self) -> None:
        reports = {"pages": TableReport("page", {"a": found(Kind.BIG | Kind.DOUBLE), "b": found(Kind.INTEGER)})}
        tables = settled({}, reports, max_columns=1000)
        assert changes(tables, settled(tables, reports, max_columns=1000), reports) == ()


def test_people_and_accounts_have_the_columns_of_their_sources_but_for_their_keys() -> None:
    tables = with_profiles(
        {
            "identifies": {"id": STRING, "anonymous_id": STRING, "user_id": STRING, "email": STRING},
            "groups": {"id": STRING, "anonymous_id": STRING, "user_id": STRING, "group_id": STRING, "plan": JSON},
        }
    )
    assert tables["users"] == {"id": STRING, "email": STRING}
    assert tables["accounts"] == {"id": STRING, "anonymous_id": STRING, "user_id": STRING, "plan": JSON}


def test_there_are_no_people_without_identifies() -> None:
    assert with_profiles({"pages": {"id": STRING}}) == {"pages": {"id": STRING}}
