"""Keys → partitions, and the prefixes that list a window without missing a key of it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.core.partitions import partition_of, prefixes, truncated

WRITTEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
HOURS = "{yyyy}/{mm}/{dd}/{hh}/"
SEGMENT = "segment-logs/{source}/{day_ms}/"


@pytest.mark.parametrize(
    ("layout", "key", "step", "expected"),
    [
        pytest.param(HOURS, "2026/01/02/03/a.gz", "hour", datetime(2026, 1, 2, 3, tzinfo=UTC), id="hours"),
        pytest.param(HOURS, "2026/01/02/03/a.gz", "day", datetime(2026, 1, 2, tzinfo=UTC), id="hours by day"),
        pytest.param("{yyyy}-{mm}-{dd}/", "2026-01-02/a", "hour", datetime(2026, 1, 2, tzinfo=UTC), id="days by hour"),
        pytest.param(
            "dt={yyyy}{mm}{dd}/h={hh}/", "dt=20260102/h=23/a", "hour", datetime(2026, 1, 2, 23, tzinfo=UTC), id="glued"
        ),
        pytest.param(SEGMENT, "segment-logs/web/1767312000000/a.gz", "day", datetime(2026, 1, 2, tzinfo=UTC), id="ms"),
        pytest.param("{source}/{yyyy}/{mm}/{dd}", "x/2026/01/02", "day", datetime(2026, 1, 2, tzinfo=UTC), id="source"),
        pytest.param("a.b/{yyyy}/{mm}/{dd}", "a.b/2026/01/02", "day", datetime(2026, 1, 2, tzinfo=UTC), id="a dot"),
        pytest.param(
            "{yyyy}/{yyyy}-{mm}-{dd}/", "2026/2026-01-02/a", "day", datetime(2026, 1, 2, tzinfo=UTC), id="year twice"
        ),
        pytest.param(None, "whatever", "hour", datetime(2026, 3, 4, 5, tzinfo=UTC), id="no layout, by hour"),
        pytest.param(None, "whatever", "day", datetime(2026, 3, 4, tzinfo=UTC), id="no layout, by day"),
    ],
)
def test_a_key_lies_in_a_partition(layout: str | None, key: str, step: str, expected: datetime) -> None:
    assert partition_of(key, WRITTEN, layout=layout, step=step) == expected


@pytest.mark.parametrize(
    ("layout", "key"),
    [
        pytest.param(HOURS, "old/2026/01/02/03/a", id="something before"),
        pytest.param(HOURS, "2026/1/2/3/a", id="single digits"),
        pytest.param(HOURS, "2026/13/02/03/a", id="month 13"),
        pytest.param(HOURS, "2026/02/30/03/a", id="30 February"),
        pytest.param(HOURS, "2026/01/02/24/a", id="hour 24"),
        pytest.param(HOURS, "0000/01/02/03/a", id="year 0"),
        pytest.param(HOURS, "2026/01/02/03", id="no slash behind the hour"),
        pytest.param(HOURS, "２０２６/01/02/03/a", id="digits beyond ASCII"),
        pytest.param("a.b/{yyyy}/{mm}/{dd}", "aXb/2026/01/02", id="a dot is a dot"),
        pytest.param("{yyyy}/{yyyy}-{mm}-{dd}/", "2025/2026-01-02/a", id="two years"),
        pytest.param(SEGMENT, "segment-logs/a/b/1767312000000/a", id="a slash in the source"),
        pytest.param(SEGMENT, "segment-logs/a/99999999999999999/a", id="too many milliseconds"),
    ],
)
def test_a_key_that_does_not_follow_the_layout_has_no_partition(layout: str, key: str) -> None:
    assert partition_of(key, WRITTEN, layout=layout, step="hour") is None


def test_partitions_are_in_utc() -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    assert truncated(datetime(2026, 1, 2, 5, 50, tzinfo=kathmandu), "hour") == datetime(2026, 1, 2, tzinfo=UTC)
    assert truncated(datetime(2026, 1, 2, 5, 30, tzinfo=kathmandu), "day") == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("layout", "hours", "expected"),
    [
        pytest.param(HOURS, 22, ["2026/01/02/", "2026/01/03/"], id="a prefix per day"),
        pytest.param("logs/{yyyy}-{mm}/{dd}", 24, ["logs/2026-01/02", "logs/2026-01/03"], id="dash"),
        pytest.param("{yyyy}/{hh}/{mm}/{dd}", 24, ["2026/"], id="up to the hour"),
        pytest.param("{day_ms}/{source}/", 21, ["1767312000000/"], id="milliseconds"),
        pytest.param(SEGMENT, 1, [""], id="the source first"),
        pytest.param(None, 1, [""], id="no layout"),
    ],
)
def test_the_prefixes_of_a_window(layout: str | None, hours: int, expected: list[str]) -> None:
    start = datetime(2026, 1, 2, 3, tzinfo=UTC)
    assert list(prefixes(layout, start, start + timedelta(hours=hours))) == expected


def test_a_window_without_a_start_lists_all() -> None:
    assert list(prefixes(HOURS, None, WRITTEN)) == [""]


@pytest.mark.parametrize(
    ("layout", "key"),
    [
        ("in/{yyyy}/{mm}/{dd}", "in/2019/07/08/a"),
        ("{day_ms}/", "1562544000000/a"),
        ("{dd}.{mm}.{yyyy}/", "08.07.2019/a"),  # the ends share a day of the month, not the days between
        ("{mm}/{yyyy}/{dd}/", "07/2019/08/a"),
    ],
)
def test_a_window_of_years_holds_a_day_in_the_middle(layout: str, key: str) -> None:
    start, stop = datetime(2015, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    assert any(key.startswith(prefix) for prefix in prefixes(layout, start, stop))


def test_a_window_of_years_is_not_listed_day_by_day() -> None:
    start, stop = datetime(2015, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    assert list(prefixes("in/{yyyy}/{mm}/{dd}", start, stop)) == ["in/"]


LAYOUTS = {
    HOURS: "{0:%Y/%m/%d/%H/}a.gz",
    "day={yyyy}-{mm}-{dd}/": "day={0:%Y-%m-%d/}a.gz",
    "{dd}.{mm}.{yyyy}": "{0:%d.%m.%Y}",
    "{yyyy}{mm}/{hh}/{dd}/": "{0:%Y%m/%H/%d/}a",
    "x/{yyyy}/{source}/{mm}/{dd}/": "x/{0:%Y}/web/{0:%m/%d/}a",
}


@given(
    st.sampled_from(sorted(LAYOUTS)),
    st.datetimes(min_value=datetime(2001, 1, 1), max_value=datetime(2030, 1, 1)),
    st.integers(1, 24 * 40),
    st.floats(0, 1, exclude_max=True),
)
def test_every_key_of_a_window_begins_with_one_prefix(layout: str, start: datetime, hours: int, share: float) -> None:
    first = start.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
    key = LAYOUTS[layout].format(first + timedelta(hours=int(hours * share)))
    found = list(prefixes(layout, first, first + timedelta(hours=hours)))
    assert sum(key.startswith(prefix) for prefix in found) == 1


@given(st.datetimes(min_value=datetime(2001, 1, 1), max_value=datetime(2030, 1, 1)), st.integers(1, 24 * 40))
def test_prefixes_name_the_days_of_the_window_and_no_others(start: datetime, hours: int) -> None:
    first = start.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
    found = list(prefixes("{yyyy}-{mm}-{dd}", first, first + timedelta(hours=hours)))
    assert found == list(dict.fromkeys(f"{first + timedelta(hours=hour):%Y-%m-%d}" for hour in range(hours)))
