"""The reference against RULES 6 and 7: limits, policies, filters, duplicates, users and accounts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from reference.model import Column, File, Quarantined, Row, Settings
from reference.shredder import shred
from reference.strategies import event_lines
from reference.test_shredder import DAY, column, load, rejects, track, types

TRACK_SYSTEM = 11  # columns


def received(day: str) -> str:
    """A `receivedAt` to put behind a call."""
    return f',"receivedAt":"{day}"'


def identify(traits: str, more: str = "", *, id_: str, user: str = "u") -> str:
    """A good identify call."""
    return f'{{"type":"identify","userId":"{user}","messageId":"{id_}","traits":{traits}{more}}}'


def test_the_most_frequent_columns_are_admitted_then_by_name() -> None:
    calls = (track('{"b":1,"c":1}'), track('{"c":2,"a":[1],"d":{"e":"x"}}', id_="n"))
    outcome = load(*calls, settings=Settings(max_columns=TRACK_SYSTEM + 2))
    assert types(outcome) == {"c": "integer", "a": "json", "extra": "json"}
    assert column(outcome, "extra") == [{"b": 1}, {"d_e": "x"}]


def test_a_full_table_takes_no_column_in_a_later_load() -> None:
    limit = Settings(max_columns=TRACK_SYSTEM + 1)
    first = load(track('{"a":1,"b":1}'), settings=limit)
    outcome = load(track('{"a":1.5,"b":1.5}', id_="n"), settings=limit, existing=first.state)
    assert types(outcome) == {"a": "double", "extra": "json"}
    assert column(outcome, "extra") == [{"b": 1}, {"b": 1.5}]


def test_tracks_decides_which_context_columns_there_are() -> None:
    calls = (track(more=',"context":{"a":1,"b":1}'), track('{"c":1}', more=',"context":{"b":2}', event="F", id_="n"))
    outcome = load(*calls, settings=Settings(max_columns=TRACK_SYSTEM + 1))
    assert types(outcome, "tracks") == {"context_b": "integer", "context_extra": "json"}
    assert types(outcome) == {"context_b": "integer", "context_extra": "json"}
    assert types(outcome, "f") == {"context_b": "integer", "extra": "json"}
    assert column(outcome, "context_extra", "tracks") == [{"context_a": 1}, None]


def test_frozen_tables_reject_new_columns_and_new_tables_quarantine() -> None:
    first = load(track('{"a":1}'))
    calls = (track('{"a":1,"b":1,"B":1}', id_="n"), track(event="F"), identify("{}", id_="i"))
    outcome = load(*calls, settings=Settings(evolve="freeze"), existing=first.state)
    assert outcome.tables == first.tables
    assert rejects(outcome) == [("b", "1", "schema_frozen")] * 2
    assert outcome.quarantine == [Quarantined("f", 2, "table_frozen"), Quarantined("f", 3, "table_frozen")]
    assert column(outcome, "a") == [1, 1]


def test_discarded_values_are_counted_and_events_filtered() -> None:
    first = load(track('{"a":1}'))
    calls = (track('{"a":1,"b":1}', more=',"context":{"c":1}', id_="n"), track(event="F"))
    outcome = load(*calls, settings=Settings(evolve="discard"), existing=first.state)
    assert outcome.tables == first.tables
    assert (outcome.rejects, outcome.counts["discarded_values"], outcome.counts["filtered"]) == ([], 2, 1)


def test_events_are_filtered_by_name_or_type() -> None:
    calls = (track(event="Order A"), track(event="Order B"), identify("{}", id_="i"), '{"type":"alias"}')
    outcome = load(*calls, settings=Settings(include_events=("Order*", "ident*"), exclude_events=("* B",)))
    assert set(outcome.tables) == {"tracks", "order_a", "identifies", "users"}
    assert (outcome.counts["filtered"], outcome.quarantine[0].reason) == (1, "missing_previous_id")


def test_properties_are_filtered_by_path_or_parent() -> None:
    call = track('{"card":{"number":1,"type":"x"},"a":1,"a":2,"A":3}', more=',"context":{"ip":"1","b":2}')
    outcome = load(call, settings=Settings(exclude_properties=("properties.card.n*", "properties.a", "context.ip")))
    assert types(outcome) == {"card_type": "string", "a": "integer", "context_b": "integer"}
    assert (column(outcome, "a"), outcome.rejects) == ([3], [])
    outcome = load(call, settings=Settings(include_properties=("properties.card", "context.b")))
    assert types(outcome) == {"card_number": "integer", "card_type": "string", "context_b": "integer"}


def test_of_one_id_in_a_load_the_earliest_stays_in_each_table() -> None:
    calls = (
        track('{"a":1}', more=received("2024-03-03")),
        track('{"a":2}', more=received("2024-03-02")),
        track('{"b":"x"}', more=received("2024-03-01"), event="F"),
    )
    outcome = load(*calls)
    assert column(outcome, "a") == [2]
    assert column(outcome, "event", "tracks") == ["f"]
    assert (outcome.counts["rows"], outcome.counts["duplicates"]) == (2, 1)


def test_types_are_those_before_duplicates_are_dropped() -> None:
    calls = (track('{"a":1}', more=received("2024-03-02")), track('{"a":"x"}', more=received("2024-03-03")))
    assert column(load(*calls), "a") == ["1"]


def test_a_row_there_within_the_window_makes_a_duplicate() -> None:
    week = Settings(dedupe_window=timedelta(days=7))
    first = load(track('{"a":1}', more=received("2024-03-10")), settings=week)
    for day, rows in {"2024-03-03": 1, "2024-03-17": 1, "2024-03-02": 2, "2024-03-18": 2, "0001-01-01": 2}.items():
        outcome = load(track('{"a":2}', more=received(day)), settings=week, existing=first.state)
        assert (day, len(outcome.rows["e"]), len(outcome.rows["tracks"])) == (day, rows, rows)


def test_a_user_has_the_newest_value_of_each_trait() -> None:
    early, late = ',"timestamp":"2024-02-01"', ',"timestamp":"2024-02-02"'
    calls = (
        identify('{"plan":"b","id":7}', late, id_="1"),
        identify('{"plan":"a","city":"x"}', early, id_="2"),
        identify('{"plan":null}', id_="3"),  # happened, as far as we know, when it was received: last
        '{"type":"identify","anonymousId":"a","traits":{"plan":"z"}}',
    )
    outcome = load(*calls)
    assert outcome.rows["users"] == [
        {
            "id": "u", "plan": "b", "_id": 7, "city": "x", "received_at": DAY, "sent_at": None,
            "original_timestamp": None,
            "timestamp": datetime(2024, 2, 2, tzinfo=UTC),
        }
    ]  # fmt: skip
    assert outcome.tables["users"]["_id"] == Column("integer")
    assert not {"anonymous_id", "user_id", "loaded_at"} & outcome.tables["users"].keys()


def test_a_user_remembers_the_rows_of_earlier_loads() -> None:
    first = load(identify('{"a":1,"b":1}', ',"timestamp":"2024-02-02"', id_="1"))
    outcome = load(identify('{"a":2.5,"b":3}', ',"timestamp":"2024-02-01"', id_="2"), existing=first.state)
    assert (column(outcome, "a", "users"), column(outcome, "b", "users")) == ([1.0], [1])


def test_an_account_keeps_who_it_was_last_seen_with() -> None:
    outcome = load('{"type":"group","groupId":"g","userId":"u","anonymousId":"a","traits":{"name":"G"}}')
    account = outcome.rows["accounts"][0]
    assert (account["id"], account["user_id"], account["anonymous_id"], account["name"]) == ("g", "u", "a", "G")


@settings(max_examples=40, deadline=None)
@given(st.lists(event_lines(max_lines=6), min_size=2, max_size=3))
def test_the_order_of_files_changes_no_row(contents: list[list[bytes]]) -> None:
    files = [File(f"f{index}", DAY, b"\n".join(lines)) for index, lines in enumerate(contents)]
    outcome = shred(files, Settings(max_columns=20))
    other = shred(files[::-1], Settings(max_columns=20))
    assert outcome.tables == other.tables
    assert outcome.counts == other.counts
    for table, rows in outcome.rows.items():
        assert sorted(map(_facts, rows)) == sorted(map(_facts, other.rows[table]))


@settings(max_examples=40, deadline=None)
@given(event_lines())
def test_loading_the_same_lines_again_adds_no_row(lines: list[bytes]) -> None:
    always = replace(Settings(), dedupe_window=timedelta(days=10_000 * 366))
    first = load(*lines, settings=always)
    again = load(*lines, settings=always, existing=first.state)
    assert again.counts["rows"] == 0


def _facts(row: Row) -> str:
    return repr(sorted(row.items()))
