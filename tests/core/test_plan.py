"""Files → loads with names that last, of bounded bytes → shards that hold every file once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loader.core.objects import File
from loader.core.places import MAX_FILES
from loader.core.plan import Arrival, PlannedLoad, load_id, loads, shards

AT = datetime(2026, 1, 1, tzinfo=UTC)
FILES = [File(f"{name}.gz", version=name * 3, size=10, modified_at=AT) for name in "abc"]


def arrivals(sizes: Sequence[int], *, per_partition: int = 2) -> list[Arrival]:
    return [
        Arrival(File(f"{number:03}", version="1", size=size, modified_at=AT), partition_at=number // per_partition)
        for number, size in enumerate(sizes)
    ]


def planned(sizes: Sequence[int], *, max_bytes: int) -> list[PlannedLoad]:
    return list(loads("web", arrivals(sizes), max_bytes=max_bytes))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([4, 3, 3, 1], [[4, 3, 3], [1]]),
        ([10, 10], [[10], [10]]),
        ([25], [[25]]),
        ([1, 25, 1], [[1], [25], [1]]),
        ([0, 0, 0], [[0, 0, 0]]),
    ],
)
def test_loads_of_at_most_ten_bytes(sizes: list[int], expected: list[list[int]]) -> None:
    assert [[each.file.size for each in load.arrivals] for load in planned(sizes, max_bytes=10)] == expected


@given(st.lists(st.integers(0, 50), max_size=30), st.randoms(use_true_random=False))
def test_loads_hold_every_file_once_by_partition_and_are_bounded(sizes: list[int], random: object) -> None:
    files = arrivals(sizes)
    mixed = sorted(files, key=lambda _: random.random())  # type: ignore[attr-defined]  # hypothesis has no name for it
    found = list(loads("web", mixed, max_bytes=40))
    assert [each for load in found for each in load.arrivals] == files
    assert all(load.stored_bytes <= 40 or len(load.arrivals) == 1 for load in found)
    assert len({load.load_id for load in found}) == len(found)


def test_no_load_has_more_files_than_row_keys_can_name() -> None:
    found = planned([0] * (MAX_FILES + 1), max_bytes=1)
    assert [len(load.arrivals) for load in found] == [MAX_FILES, 1]


class TestNamesOfLoads:
    def test_one_is_the_same_on_every_machine(self) -> None:
        # printf 'web\0000\0a.gz\0aaa\00010\0b.gz\0bbb\00010\0c.gz\0ccc\00010' | sha256sum
        assert load_id("web", FILES, attempt=0) == "644a634aadd7b99e"

    def test_the_time_of_writing_does_not_matter(self) -> None:
        again = [replace(file, modified_at=datetime(2027, 1, 1, tzinfo=UTC)) for file in FILES]
        assert load_id("web", again, attempt=0) == load_id("web", FILES, attempt=0)

    @pytest.mark.parametrize(
        ("source", "files", "attempt"),
        [
            pytest.param("web", FILES, 1, id="another attempt"),
            pytest.param("app", FILES, 0, id="another source"),
            pytest.param("web", FILES[:2], 0, id="fewer files"),
            pytest.param("web", FILES[::-1], 0, id="another order"),
            pytest.param("web", [*FILES[:2], replace(FILES[2], version="new")], 0, id="another version"),
            pytest.param("web", [*FILES[:2], replace(FILES[2], size=11)], 0, id="another size"),
            pytest.param("web", [*FILES[:2], replace(FILES[2], key="d.gz")], 0, id="another key"),
        ],
    )
    def test_another_load_has_another_name(self, source: str, files: list[File], attempt: int) -> None:
        assert load_id(source, files, attempt=attempt) != load_id("web", FILES, attempt=0)

    def test_attempts_have_names_of_their_own(self) -> None:
        assert len({load_id("web", FILES, attempt=attempt) for attempt in range(100)}) == 100


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=40),
    st.integers(1, 64),
    st.integers(1, 200),
    st.integers(0, 50),
)
def test_shards_hold_every_file_once_whatever_the_workers(
    sizes: list[int], workers: int, max_bytes: int, min_bytes: int
) -> None:
    found = shards(sizes, workers=workers, max_bytes=max_bytes, min_bytes=min_bytes)
    assert sorted(ordinal for shard in found for ordinal in shard) == list(range(len(sizes)))
    assert all(shard and list(shard) == sorted(shard) for shard in found)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=40), st.integers(1, 8))
def test_shards_differ_by_no_more_than_a_file(sizes: list[int], workers: int) -> None:
    filled = [
        sum(sizes[each] for each in shard) for shard in shards(sizes, workers=workers, max_bytes=500, min_bytes=0)
    ]
    assert max(filled) - min(filled) <= max(sizes)


@pytest.mark.parametrize(
    ("sizes", "workers", "expected"),
    [
        pytest.param([50, 50, 50, 50], 2, [(0, 2), (1, 3)], id="one for each worker"),
        pytest.param([50, 50, 50, 50], 1, [(0, 2), (1, 3)], id="two rounds of one worker"),
        pytest.param([100, 100, 100, 100], 2, [(0,), (1,), (2,), (3,)], id="two rounds of two workers"),
        pytest.param([1, 1, 1, 1], 4, [(0, 1, 2, 3)], id="too little for two"),
        pytest.param([300, 1], 2, [(0,), (1,)], id="one file larger than a shard"),
        pytest.param([0, 0], 2, [(0, 1)], id="nothing"),
    ],
)
def test_shards_of_ten_to_a_hundred_bytes(sizes: list[int], workers: int, expected: list[tuple[int, ...]]) -> None:
    assert shards(sizes, workers=workers, max_bytes=100, min_bytes=10) == expected


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(1, 8))
@example([50, 51, 51], 1)
def test_shards_are_bounded_but_for_a_single_file(sizes: list[int], workers: int) -> None:
    found = shards(sizes, workers=workers, max_bytes=100, min_bytes=10)
    assert all(len(shard) == 1 or sum(sizes[each] for each in shard) <= 100 for shard in found)
