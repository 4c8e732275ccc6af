"""The same tables whatever the order of lines, files and shards, the workers, and the memory they have."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from flow import harness
from flow.harness import lines, track
from loader.config import Config
from loader.core.synthetic import Shape, files

SHAPE = Shape(events=4_000, event_names=5, files=4, dirty=0.02, conflicts=0.05, duplicates=0.05, batches=0.1, seed=7)
OURS = ("loaded_at", "load_id")
SMALLEST = "64MB"
Outcome = tuple[dict[str, tuple[object, ...]], Counter[Any], Counter[str], dict[str, int]]


class Order(NamedTuple):
    id: str
    files: int = 4
    shuffled: int = 0  # seed; 0 leaves the lines as they are
    load: str = "workers = 1"


ORDERS = [
    Order("one file", files=1),
    Order("lines in another order", shuffled=1),
    Order("one file in another order", files=1, shuffled=2),
    Order("40 files", files=40, shuffled=3),
    Order("two workers", load="workers = 2", files=6),
    Order("two workers, another order", load="workers = 2", files=5, shuffled=4),
    Order("three workers", load='workers = 3\nshard_bytes = "1MB"', files=12, shuffled=5),
    Order("a worker and small shards", load='workers = 1\nshard_bytes = "1MB"', files=12, shuffled=6),
    Order("little memory", load=f'workers = 1\nmemory = "{SMALLEST}"', files=3, shuffled=7),
    Order("little memory and two workers", load=f'workers = 2\nmemory = "{SMALLEST}"', files=8),
    Order("much memory", load='workers = 1\nmemory = "2GB"', files=2, shuffled=8),
]


@pytest.fixture(scope="module")
def sent() -> list[bytes]:
    """Return the lines of all files, and some whose values are rejected."""
    odd = [track("Odd", messageId=f"odd {n}", receivedAt="soon", properties={"A": n, "a": n % 3}) for n in range(20)]
    return [*(line for _, content in files(SHAPE) for line in content.splitlines()), *lines(*odd).splitlines()]


def dealt(sent: list[bytes], order: Order) -> Iterator[bytes]:
    """Yield the content of each file."""
    mixed = list(sent)
    if order.shuffled:
        Random(order.shuffled).shuffle(mixed)
    return (lines(*mixed[index :: order.files]) for index in range(order.files))


def outcome(config: Config, contents: Iterator[bytes]) -> Outcome:
    """Return what the warehouse holds after one load, without what names a file, a line or a load."""
    for number, content in enumerate(contents):
        harness.put(config, f"{number:02}.jsonl", content, packed=False)
    [result] = harness.run(config)
    assert result.conserved
    assert result.problems == ()
    rejects = Counter(each[:5] for each in harness.rejects(config).elements())
    reasons = Counter(reason for *_, reason in harness.quarantine(config).elements())
    return harness.fingerprints(config, without=OURS), rejects, reasons, harness.sums(config)


@pytest.fixture(scope="module")
def usual(sent: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return outcome(harness.project(tmp_path_factory.mktemp("usual")), dealt(sent, Order("as sent")))


def test_the_usual_load_has_something_of_everything(usual: Outcome) -> None:
    tables, rejects, reasons, found = usual
    assert {"tracks", "identifies", "users", "groups", "accounts", "pages"} <= tables.keys()
    assert rejects
    assert len(reasons) > 5
    assert found["duplicates"] > 50


@pytest.mark.parametrize("order", ORDERS, ids=[each.id for each in ORDERS])
def test_the_tables_do_not_depend_on_the_order(order: Order, sent: list[bytes], usual: Outcome, tmp_path: Path) -> None:
    config = harness.project(tmp_path, load=order.load)
    found = outcome(config, dealt(sent, order))
    assert found[0].keys() == usual[0].keys()
    assert [table for table in usual[0] if found[0][table] != usual[0][table]] == []
    assert found[1:] == usual[1:]


SAME = [  # rows of one id: (received_at, what differs); equal times are told apart by the content's hash
    ("2026-01-01T05:00:03Z", "third"),
    ("2026-01-01T05:00:01Z", "first"),
    ("2026-01-01T05:00:02Z", "second"),
    ("2026-01-01T05:00:01.000Z", "also first"),
    ("2026-01-01T06:00:01+01:00", "first, of another zone"),
]


def repeated() -> list[dict[str, Any]]:
    plain = [track(messageId="m1", receivedAt=at, properties={"v": text}) for at, text in SAME]
    equal = [track(messageId="m2", receivedAt="2026-01-01T05:00:00Z", properties={"v": n}) for n in (3, 1, 2)]
    people = [
        {"type": "identify", "messageId": f"i{n % 2}", "userId": "u1", "receivedAt": at, "traits": {"name": text}}
        for n, (at, text) in enumerate(SAME)
    ]
    return [*plain, *equal, *people]


def test_of_duplicates_the_same_one_stays_whatever_their_order(tmp_path: Path) -> None:
    seen = []
    for seed in range(6):
        config = harness.project(tmp_path / str(seed))
        mixed = repeated()
        Random(seed).shuffle(mixed)
        for number in range(3):
            harness.put(config, f"{number}.jsonl", lines(*mixed[number::3]), packed=False)
        [result] = harness.run(config)
        assert (result.rows, result.duplicates) == (4, len(mixed) - 4)
        seen.append(harness.tables(config))
    assert all(each == seen[0] for each in seen)
    assert {row["id"]: row["v"] for row in seen[0]["order_completed"]}["m1"] in (
        "first",
        "also first",
        "first, of another zone",
    )


def test_of_two_loads_the_row_that_is_there_stays(project: Callable[..., Config]) -> None:
    config = project()
    for name, at in (
        ("late", "2026-01-01T05:30:00Z"),
        ("early", "2026-01-01T05:00:00Z"),
        ("far", "2026-01-20T00:00:00Z"),
    ):
        harness.put(
            config, f"{name}.jsonl", lines(track(messageId="m1", receivedAt=at, properties={"v": name})), packed=False
        )
        harness.run(config)
    # `far` is outside of the window of seven days: it counts as another event.
    assert sorted(row["v"] for row in harness.rows(config, "order_completed")) == ["far", "late"]
