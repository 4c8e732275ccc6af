"""The generator's promises: the same bytes for the same shape, and odd events in the shares asked for."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import pytest

from loader.core.synthetic import Shape, file, files

SMALL = Shape(events=500, files=8)
CALM = Shape(events=2_000, files=8, duplicates=0, conflicts=0, late=0)


@cache
def lines(shape: Shape) -> list[bytes]:
    return [line for _, content in files(shape) for line in content.splitlines()]


def events(shape: Shape) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(shape)]


def kinds(shape: Shape) -> Counter[tuple[str, str, type]]:
    """Count the events by name, property and type of its value, nulls left out."""
    return Counter(
        (event["event"], key, type(value))
        for event in events(shape)
        if event["type"] == "track"
        for key, value in event["properties"].items()
        if value is not None
    )


def received_at(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["receivedAt"])


def test_the_bytes_are_the_same_on_every_machine() -> None:
    shape = Shape(events=500, files=4, dirty=0.1, conflicts=0.1, duplicates=0.1, late=0.1, batches=0.3)
    assert sha256(repr(list(files(shape))).encode()).hexdigest()[:16] == "a8a192d4a568ea42"


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert list(files(SMALL)) == list(files(replace(SMALL)))


def test_another_seed_gives_other_bytes() -> None:
    assert not set(lines(SMALL)) & set(lines(replace(SMALL, seed=2)))


@pytest.mark.parametrize("index", [7, 0, 3])
def test_a_file_alone_is_the_file_among_others(index: int) -> None:
    shape = replace(SMALL, duplicates=0.2, dirty=0.1, batches=0.3)
    assert file(shape, index) == list(files(shape))[index]


def test_keys_spread_evenly_over_the_hours() -> None:
    keys = [key for key, _ in files(Shape(events=96, files=96, days=2, start=datetime(2026, 2, 28, tzinfo=UTC)))]
    assert keys[0] == "2026-02-28/00/events-0000.jsonl"
    assert keys[95] == "2026-03-01/23/events-0095.jsonl"
    assert set(Counter(key[:13] for key in keys).values()) == {2}


def test_every_event_is_received_within_the_hour_of_its_file() -> None:
    for key, content in files(replace(CALM, files=60)):
        for line in content.splitlines():
            assert json.loads(line)["receivedAt"][:13].replace("T", "/") == key[:13]


@pytest.mark.parametrize(("seed", "event_names"), [(1, 60), (2, 60), (3, 20), (4, 1000)])
def test_lines_are_events_of_about_one_kilobyte(seed: int, event_names: int) -> None:
    written = lines(replace(CALM, seed=seed, event_names=event_names))
    assert all(isinstance(json.loads(line), dict) for line in written)
    assert len(written) == 2_000
    assert 900 <= sum(map(len, written)) / len(written) <= 1_150


def test_the_calls_are_mixed_as_in_life() -> None:
    shares = Counter(event["type"] for event in events(CALM))
    for call, percent in {"track": 78, "page": 10, "identify": 6, "screen": 3, "group": 2, "alias": 1}.items():
        assert shares[call] / 20 == pytest.approx(percent, abs=1 + percent / 10), call


def test_seven_of_ten_events_have_a_user() -> None:
    assert sum("userId" in event for event in events(CALM)) / 2_000 == pytest.approx(0.72, abs=0.03)


def test_event_names_are_as_many_as_asked_for_and_follow_zipf() -> None:
    names = Counter(event["event"] for event in events(replace(CALM, event_names=12)) if event["type"] == "track")
    assert len(names) == 12
    (_, first), (_, second), *_ = names.most_common()
    assert first / second == pytest.approx(2, abs=0.5)


def test_event_names_give_as_many_tables() -> None:
    names = {event["event"] for event in events(replace(CALM, event_names=100)) if event["type"] == "track"}
    tables = {"_".join(re.findall(r"[A-Z0-9]+[a-z0-9]*|[a-z][a-z0-9]*", name)).lower() for name in names}
    assert len(tables) == len(names) >= 90


def test_each_property_of_an_event_has_one_type() -> None:
    found = {(name, key) for name, key, _ in kinds(CALM)}
    assert len(found) == len(kinds(CALM))


def test_conflicts_give_properties_another_type() -> None:
    usual = set(kinds(CALM))
    odd = {kind: count for kind, count in kinds(replace(CALM, conflicts=0.02)).items() if kind not in usual}
    assert sum(odd.values()) / 2_000 == pytest.approx(0.018, abs=0.006)
    assert {kind for _, _, kind in odd} >= {str, int, float, dict, list}


def test_repeated_events_are_as_many_as_asked_for_and_half_of_them_the_same_bytes() -> None:
    written = lines(replace(CALM, duplicates=0.1))
    repeated = len(written) - len({json.loads(line)["messageId"] for line in written})
    identical = len(written) - len(set(written))
    assert repeated / 2_000 == pytest.approx(0.1, abs=0.02)
    assert identical / repeated == pytest.approx(0.5, abs=0.1)


def test_repeated_events_say_the_same_and_are_received_later() -> None:
    first: dict[str, dict[str, Any]] = {}
    for event in events(replace(CALM, duplicates=0.1)):
        original = first.setdefault(event["messageId"], event)
        assert received_at(original) <= received_at(event)
        assert {**event, "receivedAt": 0, "sentAt": 0} == {**original, "receivedAt": 0, "sentAt": 0}


def test_some_events_are_repeated_in_a_later_file() -> None:
    homes: dict[bytes, set[str]] = {}
    for key, content in files(replace(CALM, duplicates=0.1)):
        for line in content.splitlines():
            homes.setdefault(line, set()).add(key)
    assert sum(len(keys) > 1 for keys in homes.values()) > 20


def test_late_events_happened_days_before_they_were_received() -> None:
    late = [
        received_at(event) - datetime.fromisoformat(event["originalTimestamp"]) > timedelta(days=1)
        for event in events(replace(CALM, late=0.05))
    ]
    assert sum(late) / 2_000 == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_batches_pack_the_share_of_events_asked_for(share: float) -> None:
    sizes = Counter(len(event.get("batch", "-")) for event in events(replace(CALM, batches=share)))
    assert sum(size * count for size, count in sizes.items()) == 2_000
    assert 1 - sizes[1] / 2_000 == pytest.approx(share, abs=0.03)
    assert set(sizes) <= {1, 2, 3, 4, 5}


def test_events_of_a_batch_have_what_they_lack_in_the_envelope() -> None:
    for envelope in events(replace(CALM, batches=1.0))[:-1]:
        for event in envelope.get("batch", []):
            whole = {**envelope, **event, "context": {**envelope["context"], **event["context"]}}
            assert {"receivedAt", "sentAt", "messageId", "type"} <= whole.keys()
            assert "library" in whole["context"]


def test_dirty_lines_are_as_many_as_asked_for() -> None:
    calm, dirty = lines(CALM), lines(replace(CALM, dirty=0.1))
    assert len(dirty) == 2_000
    assert len(set(dirty) - set(calm)) / 2_000 > 0.08


@pytest.mark.parametrize(
    "trace",
    [
        pytest.param(b'"event":37', id="the event is a number"),
        pytest.param(b'"event":""', id="the event is empty"),
        pytest.param(b'"type":"click"', id="the type is unknown"),
        pytest.param(b'"anonymousId":""', id="nobody did it"),
        pytest.param(b'"properties":"none"', id="the properties are a string"),
        pytest.param(b"\xff\xc3", id="it is not UTF-8"),
        pytest.param(b"NaN", id="it is not JSON"),
        pytest.param(b"upstream connect error", id="it is prose"),
        pytest.param(b'{"batch":[]}', id="the envelope is empty"),
        pytest.param(b'[{"messageId"', id="it is an array"),
    ],
)
def test_every_kind_of_dirt_occurs(trace: bytes) -> None:
    assert any(trace in line for line in lines(Shape(events=500, files=2, dirty=1.0)))
    assert not any(trace in line for line in lines(Shape(events=500, files=2)))


def test_more_files_than_events_are_some_empty_files() -> None:
    assert sum(not content for _, content in files(Shape(events=3, files=10, duplicates=1.0))) == 7
