"""Which strings are timestamps, and that arrays are read as single strings are (RULES 4.3)."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.core.timestamps import MICROSECONDS, all_timestamps, corrected, instants, microseconds

NOON = 1_767_268_800_000_000  # 2026-01-01 12:00 UTC
MINUTE, HOUR = 60_000_000, 3_600_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", 0),
        ("2026-01-01", NOON - 12 * HOUR),
        ("2026-01-01T12:00", NOON),
        ("2026-01-01 12:00", NOON),
        ("2026-01-01T12:00:00", NOON),
        ("2026-01-01T12:00:00Z", NOON),
        ("2026-01-01T12:00Z", NOON),
        ("2026-01-01T12:00:01.5Z", NOON + 1_500_000),
        ("2026-01-01T12:00:00.123456Z", NOON + 123_456),
        ("2026-01-01T12:00:00.123456999Z", NOON + 123_456),  # cut, not rounded
        ("2026-01-01T12:00:00.0000001234567890Z", NOON),
        ("2026-01-01T14:00:00+02", NOON),
        ("2026-01-01T14:00:00+0200", NOON),
        ("2026-01-01T14:30:00+02:30", NOON),
        ("2026-01-01T06:30-05:30", NOON),
        ("2026-01-02T11:59:00+23:59", NOON),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ("9999-12-31T23:59:59.9999999Z", 253_402_300_799_999_999),
    ],
)
def test_a_timestamp(text: str, expected: int) -> None:
    assert microseconds(text) == expected


WRONG = [
    pytest.param("", id="empty"),
    pytest.param("2026", id="a year"),
    pytest.param("2026-01", id="a month"),
    pytest.param("20260101", id="without hyphens"),
    pytest.param("2026-1-1", id="one digit"),
    pytest.param("26-01-01", id="a short year"),
    pytest.param("2026-01-01Z", id="a zone without a time"),
    pytest.param("2026-01-01T", id="nothing behind the T"),
    pytest.param("2026-01-01T12", id="an hour alone"),
    pytest.param("2026-01-01T12Z", id="an hour alone with a zone"),
    pytest.param("2026-01-01T12:00:00.Z", id="a point without digits"),
    pytest.param("2026-01-01T12:00:00,5Z", id="a comma"),
    pytest.param("2026-01-01t12:00:00Z", id="a small t"),
    pytest.param("2026-01-01T12:00:00z", id="a small z"),
    pytest.param("2026-01-01T12:00:00 Z", id="a space before the zone"),
    pytest.param("2026-01-01  12:00:00Z", id="two spaces"),
    pytest.param(" 2026-01-01T12:00:00Z", id="a space before"),
    pytest.param("2026-01-01T12:00:00Z ", id="a space behind"),
    pytest.param("2026-01-01T12:00:00Z\n", id="a newline behind"),
    pytest.param("2026-02-29T12:00:00Z", id="no leap year"),
    pytest.param("2026-13-01T12:00:00Z", id="month 13"),
    pytest.param("2026-04-31T12:00:00Z", id="31 April"),
    pytest.param("2026-01-01T24:00:00Z", id="hour 24"),
    pytest.param("2026-01-01T12:60:00Z", id="minute 60"),
    pytest.param("2016-12-31T23:59:60Z", id="a leap second"),
    pytest.param("2026-01-01T12:00:00+24:00", id="an offset of a day"),
    pytest.param("2026-01-01T12:00:00+02:60", id="an offset of 60 minutes"),
    pytest.param("2026-01-01T12:00:00+2", id="an offset of one digit"),
    pytest.param("2026-01-01T12:00:00+02:", id="an offset cut short"),
    pytest.param("2026-01-01T12:00:00UTC", id="a zone by name"),
    pytest.param("2026-01-01T12:00:00−02:00", id="a minus sign that is no hyphen"),
    pytest.param("2026-01-01T12:00:00Z+02:00", id="two zones"),
    pytest.param("0000-01-01T00:00:00Z", id="year 0"),
    pytest.param("0001-01-01T00:00:00+00:01", id="before year 1 in UTC"),
    pytest.param("9999-12-31T23:59:59-00:01", id="after year 9999 in UTC"),
    pytest.param("10000-01-01T00:00:00Z", id="a year of five digits"),
    pytest.param("-2026-01-01T00:00:00Z", id="a year with a sign"),
    pytest.param("２０２６-01-01T12:00:00Z", id="digits beyond ASCII"),
    pytest.param("1767268800", id="seconds"),
    pytest.param("Thu, 01 Jan 2026 12:00:00 GMT", id="as in a mail"),
]


@pytest.mark.parametrize("text", WRONG)
def test_no_timestamp(text: str) -> None:
    assert microseconds(text) is None


@pytest.mark.parametrize("text", WRONG)
def test_no_timestamp_among_others_in_an_array(text: str) -> None:
    found, wrong = instants(pa.array(["2026-01-01T12:00:00Z", None, text]))
    assert wrong == [2]
    assert found.cast(pa.int64()).to_pylist() == [NOON, None, None]


digits = st.integers(0, 99).map("{:02}".format)
texts = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["0000", "0001", "1969", "2024", "2026", "9999"]),
        st.just("-"),
        st.integers(1, 13).map("{:02}".format),
        st.just("-"),
        st.integers(1, 32).map("{:02}".format),
        st.sampled_from(["T", "T", " ", "t", ""]),
        st.integers(0, 25).map("{:02}".format),
        st.sampled_from([":", ":", ""]),
        st.integers(0, 61).map("{:02}".format),
        st.one_of(st.just(""), st.integers(0, 61).map(":{:02}".format)),
        st.one_of(st.just(""), st.text("0123456789", max_size=11).map(".{}".format)),
        st.one_of(
            st.sampled_from(["Z", "", "z", " Z"]),
            st.builds("{}{}{}{}".format, st.sampled_from("+-"), digits, st.sampled_from([":", ""]), digits),
            st.builds("{}{}".format, st.sampled_from("+-"), digits),
        ),
    ),
)


@given(st.lists(st.none() | texts, max_size=3))
def test_arrays_are_read_as_single_strings_are(sent: list[str | None]) -> None:
    found, wrong = instants(pa.array(sent, pa.string()))
    single = [None if text is None else microseconds(text) for text in sent]
    assert found.type == MICROSECONDS
    assert found.cast(pa.int64()).to_pylist() == single
    assert wrong == [row for row, text in enumerate(sent) if text is not None and single[row] is None]
    assert all_timestamps(pa.array(sent, pa.string())) is not bool(wrong)


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)), st.sampled_from(["Z", "+00:00"]))
def test_every_moment_is_read_back(moment: datetime, zone: str) -> None:
    found, wrong = instants(pa.array([moment.isoformat(timespec="microseconds") + zone]))
    assert found.to_pylist() == [moment.replace(tzinfo=UTC)]
    assert not wrong


@pytest.mark.parametrize(
    ("received", "sent", "original", "expected"),
    [
        pytest.param(NOON, NOON, NOON, NOON, id="all the same"),
        pytest.param(NOON, NOON + HOUR, NOON + HOUR - MINUTE, NOON - MINUTE, id="a clock that is fast"),
        pytest.param(None, NOON, NOON, None, id="not received"),
        pytest.param(NOON, None, NOON, None, id="not sent"),
        pytest.param(NOON, NOON, None, None, id="not originated"),
        pytest.param(NOON, 253_402_300_799_999_999, -62_135_596_800_000_000, None, id="before year 1"),
        pytest.param(NOON, -62_135_596_800_000_000, 253_402_300_799_999_999, None, id="after year 9999"),
    ],
)
def test_the_time_of_an_event_is_corrected_by_the_clock_of_the_sender(
    received: int | None, sent: int | None, original: int | None, expected: int | None
) -> None:
    arrays = [pa.array([each], pa.int64()).cast(MICROSECONDS) for each in (received, sent, original)]
    assert corrected(*arrays).cast(pa.int64()).to_pylist() == [expected]
