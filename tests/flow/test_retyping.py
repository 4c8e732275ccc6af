"""`retype`: a wider column, with everything in it that it should have held from the start."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow.harness import columns, lines, put, query, rows, run, tables, track
from flow.harness import project as make
from loader.config import Config
from loader.core.results import Retyped
from loader.errors import ConfigError
from loader.load import rejects, retype

Project = Callable[..., Config]
ORDERS = "web.order_completed"


def order(number: int, **properties: object) -> dict[str, object]:
    return track("Order Completed", messageId=f"m{number:03}", properties=properties)


def loaded(config: Config, *loads: bytes, first: int = 0) -> Config:
    for number, content in enumerate(loads, first):
        put(config, f"{number}.gz", content)
        run(config)
    return config


def column(config: Config, name: str, table: str = "order_completed") -> list[Any]:
    return [row[name] for row in rows(config, table)]


def test_rejects_come_back_as_they_were_sent(project: Project) -> None:
    sent = [1, 2.5, "abc", True, "2026-01-01", "007", [1, 2]]
    config = loaded(project(), lines(order(0, x=7)), lines(*(order(n + 1, x=each) for n, each in enumerate(sent))))
    assert column(config, "x") == [7.0, 1.0, 2.5, None, None, None, None, None]
    assert retype(config, ORDERS, "x", "string") == Retyped(ORDERS, "x", "double", "string", 5, 0)
    assert column(config, "x") == ["7", "1", "2.5", "abc", "true", "2026-01-01", "007", "[1, 2]"]
    assert rejects(config, limit=9) == []


@pytest.mark.parametrize(
    ("sent", "late", "type", "after"),
    [
        ([1, 2], "1.5", "double", [1.0, 2.0, 1.5]),
        ([True, False], "maybe", "string", ["true", "false", "maybe"]),
        ([0.1, 3.0], "x", "string", ["0.1", "3", "x"]),
        (
            ["2026-01-01T05:10:00.25+01:00", "2026-01-02"],
            *("soon", "string", ["2026-01-01T04:10:00.250000Z", "2026-01-02T00:00:00Z", "soon"]),
        ),
        ([1, 2**60], {}, "json", [1, 2**60, None]),
        ([0.5, 3.0], [1], "json", [0.5, 3, [1]]),
        (["a", 'b"'], [1], "json", ["a", 'b"', "[1]"]),
        (["2026-01-02", "2026-01-02"], [1], "json", ["2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", [1]]),
        ([True, False], {"deep": 1}, "json", [True, False, None]),
    ],
)
def test_nothing_is_lost_by_a_wider_type(
    project: Project, sent: list[Any], late: Any, type: str, after: list[Any]
) -> None:
    config = loaded(project(), lines(order(1, x=sent[0]), order(2, x=sent[1])), lines(order(3, x=late)))
    retype(config, ORDERS, "x", type)
    assert column(config, "x") == after
    assert rejects(config, limit=9) == []


def test_what_the_type_does_not_hold_either_is_left(project: Project) -> None:
    config = loaded(project(), lines(order(1, x=1)), lines(order(2, x="1.5"), order(3, x="abc")))
    assert retype(config, ORDERS, "x", "double") == Retyped(ORDERS, "x", "integer", "double", 1, 1)
    assert column(config, "x") == [1.0, 1.5, None]
    assert [(each.reason, each.count) for each in rejects(config, limit=9)] == [("not_integer", 1)]
    assert retype(config, ORDERS, "x", "string") == Retyped(ORDERS, "x", "double", "string", 1, 0)
    assert column(config, "x") == ["1", "1.5", "abc"]


def test_a_second_call_finds_the_type_there_and_restores_nothing_more(project: Project) -> None:
    config = loaded(project(), lines(order(1, x=1)), lines(order(2, x="abc")))
    retype(config, ORDERS, "x", "string")
    before = tables(config)
    assert retype(config, ORDERS, "x", "string") == Retyped(ORDERS, "x", "string", "string", 0, 0)
    assert tables(config) == before
    history = "SELECT change, type, old_type FROM loader.columns WHERE column_name = 'x' ORDER BY changed_at"
    assert query(config, history) == [("create", "integer", None), ("retype", "string", "integer")]


def test_rejects_for_other_reasons_stay(project: Project) -> None:
    doubled = '{"type":"track","event":"Order Completed","userId":"u","messageId":"m9","properties":{"x":5,"x":"b"}}'
    config = loaded(project(), lines(order(1, x=1)), lines(order(2, x="a\0"), doubled, order(3, x=1, X=2)))
    assert retype(config, ORDERS, "x", "string").restored == 2
    assert column(config, "x") == ["1", "a\ufffd", "2", "b"]
    assert sorted(each.reason for each in rejects(config, limit=9)) == ["duplicate_key", "same_column"]


def test_a_context_column_changes_in_tracks_and_every_event_table(project: Project) -> None:
    config = loaded(
        project(),
        lines(order(1, a=1), track("Other", messageId="o1", context={"build": 7}), order(2, a=1)),
        lines(track("Order Completed", messageId="m3", context={"build": "7b"}), order(4)),
        lines(track("Other", messageId="o2", context={"build": "x"})),
    )
    assert retype(config, ORDERS, "context_build", "string") == Retyped(
        *(ORDERS, "context_build", "integer", "string", 2, 0)
    )
    kinds = {table: each.get("context_build") for table, each in columns(config).items()}
    assert kinds == {"tracks": "VARCHAR", "order_completed": "VARCHAR", "other": "VARCHAR"}
    assert {row["id"]: row["context_build"] for row in rows(config, "tracks") if row["context_build"]} == {
        "m3": "7b",
        "o1": "7",
        "o2": "x",
    }
    assert column(config, "context_build", "other") == ["7", "x"]
    assert [each for each in column(config, "context_build") if each] == ["7b"]


def identify(number: int, user: str, **traits: object) -> dict[str, object]:
    at = f"2026-01-01T05:{number:02}:00Z"
    return {"type": "identify", "userId": user, "messageId": f"i{number}", "receivedAt": at, "traits": traits}


def test_users_follow_identifies(project: Project) -> None:
    config = loaded(
        project(),
        lines(identify(1, "u", age=1), identify(2, "v", age=2), identify(5, "w", age=3)),
        lines(identify(3, "u", age="old"), identify(4, "v", age="x"), identify(6, "v", age=9)),
    )
    retype(config, "web.identifies", "age", "string")
    assert {row["id"]: row["age"] for row in rows(config, "users")} == {"u": "old", "v": "9", "w": "3"}
    with pytest.raises(ConfigError, match=r"web\.users follows web\.identifies; retype the column there"):
        retype(config, "web.users", "age", "json")


def test_a_value_comes_back_after_a_replay_too(project: Project) -> None:
    config = loaded(project(), lines(order(1, x=1)), lines(order(2, x="abc")))
    run(config, replay=True)
    assert retype(config, ORDERS, "x", "string").restored == 1
    assert column(config, "x") == ["1", "abc"]


@pytest.mark.parametrize("rest", [[order(2, x="abc"), order(3)], [order(3)]], ids=["with it", "without it"])
def test_a_value_comes_back_after_its_file_was_rewritten_too(rest: list[dict[str, Any]], project: Project) -> None:
    config = loaded(project(), lines(order(1, x=1)), lines(order(2, x="abc")))
    put(config, "1.gz", lines(*rest))
    assert [each.rows for each in run(config)] == [1]
    assert retype(config, ORDERS, "x", "string").restored == 1
    assert column(config, "x") == ["1", "abc", None]
    assert rejects(config, limit=9) == []


def test_a_value_of_a_frozen_schema_comes_back_when_there_is_a_column(project: Project) -> None:
    config = loaded(project(), lines(order(1)))
    config = loaded(project(source='evolve = "freeze"'), lines(order(2, x=7)), first=1)
    assert [each.remedy for each in rejects(config, limit=9)] == [
        'set `evolve = "evolve"` in [sources.web] to take such values from now on'
    ]
    config = loaded(project(), lines(order(3, x=8)), first=2)
    run(config, replay=True)
    assert column(config, "x") == [None, None, 8]
    [left] = rejects(config, limit=9)
    assert left.remedy == f"`loader retype {ORDERS} x integer` puts them back"
    assert retype(config, ORDERS, "x", "integer").restored == 1
    assert column(config, "x") == [None, 7, 8]
    assert rejects(config, limit=9) == []


def test_a_duplicate_lends_no_value_to_the_row_that_is_there(project: Project) -> None:
    config = loaded(project(), lines(order(1, x=1), order(2)), lines(order(2, x="abc"), order(1, x="b")))
    assert retype(config, ORDERS, "x", "string") == Retyped(ORDERS, "x", "integer", "string", 0, 0)
    assert column(config, "x") == ["1", None]


@pytest.mark.parametrize(
    ("table", "name", "type", "message"),
    [
        (
            "web.order_completed",
            "x",
            "boolean",
            r"is integer and cannot become boolean.*possible are double, string, json",
        ),
        ("web.order_completed", "big", "double", r"integers that a double rounds; possible are string, json"),
        ("web.order_completed", "x", "text", r"'text' is no type.*types are boolean, integer, double"),
        (
            "web.order_completed",
            "y",
            "string",
            r"web\.order_completed\.y is not there.*columns to retype are big, list, x",
        ),
        ("web.order_completed", "user_id", "json", r"web\.order_completed\.user_id is the loader's own"),
        ("web.order_completed", "list", "string", r"is json, which holds everything"),
        ("web.orders", "x", "string", r"there is no table web\.orders.*web has order_completed, tracks"),
        ("wep.order_completed", "x", "string", r"no source has the schema 'wep' \(did you mean 'web'\?\)"),
        ("order_completed", "x", "string", r"no source has the schema 'order_completed'; write schema\.table"),
    ],
)
def test_what_is_not_possible_is_told_with_what_is(
    project: Project, table: str, name: str, type: str, message: str
) -> None:
    config = loaded(project(), lines(order(1, x=1, big=2**60, list=[])))
    with pytest.raises(ConfigError, match=message):
        retype(config, table, name, type)


numbers = st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False))
texts = st.one_of(
    st.text("abcXYZ \"\\'é", min_size=1), st.sampled_from(["2026-01-01", "12", "-3", "true", "00", "1_0"])
)
firsts = st.sampled_from(
    [st.integers(-(2**53) + 1, 2**53 - 1), st.booleans(), st.floats(allow_nan=False, allow_infinity=False, width=32)]
).flatmap(lambda kind: st.lists(kind, min_size=1, max_size=8))


@settings(max_examples=6)
@given(firsts, st.lists(st.one_of(numbers, st.booleans(), texts, st.none()), max_size=20))
def test_a_retyped_column_is_as_if_it_had_been_a_string_from_the_start(first: list[Any], second: list[Any]) -> None:
    one = lines(*(order(n, x=each) for n, each in enumerate(first)))
    other = lines(*(order(100 + n, x=each) for n, each in enumerate([*second, "some text"])))
    folder = Path(tempfile.mkdtemp(prefix="loader-test-"))
    try:
        mended, straight = loaded(make(folder / "mended"), one, other), make(folder / "straight")
        retype(mended, ORDERS, "x", "string")
        put(straight, "0.gz", one)
        put(straight, "1.gz", other)
        run(straight)
        assert columns(mended) == columns(straight)
        assert tables(mended) == tables(straight)
    finally:
        shutil.rmtree(folder)
