"""Values as tools want them, and values that are no such thing."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from loader.core import fields

GOOD: list[tuple[Callable[[Any], Any], Any, Any]] = [
    (fields.email, " Ana.Lopez@Example.COM ", "ana.lopez@example.com"),
    (fields.email, "a+b@sub.example.co.uk", "a+b@sub.example.co.uk"),
    (fields.email, "jörg@münchen.example", "jörg@münchen.example"),
    (fields.email, "  ", None),
    (fields.phone, "+49 (30) 901-820", "+4930901820"),
    (fields.phone, "0049 30 901820", "+4930901820"),
    (fields.phone, "", None),
    (fields.text, " x ", "x"),
    (fields.text, 7, "7"),
    (fields.text, "   ", None),
    (fields.lowered, " ÄB ", "äb"),
    (fields.number, "1.50", 1.5),
    (fields.number, "3", 3),
    (fields.number, Decimal("2.0"), 2),
    (fields.boolean, "Yes", True),
    (fields.boolean, 0, False),
    (fields.unix_seconds, datetime(2026, 1, 31, 5), 1769835600),
    (fields.unix_seconds, "2026-01-31T06:00:00+01:00", 1769835600),
    (fields.unix_seconds, date(1970, 1, 2), 86400),
    (fields.iso_time, 1769835600, "2026-01-31T05:00:00.000Z"),
    (fields.plain, datetime(2026, 1, 31, 5, tzinfo=UTC), "2026-01-31T05:00:00.000Z"),
    (fields.plain, date(2026, 1, 31), "2026-01-31"),
    (fields.plain, Decimal("12345678901234567890"), 12345678901234567890),
    (fields.plain, b"\x00\xff", "00ff"),
]
BAD: list[tuple[Callable[[Any], Any], Any]] = [
    *((fields.email, value) for value in ("ana", "ana@", "@example.com", "ana@example", "a b@example.com", "a@b..c")),
    *((fields.email, value) for value in ("a@b@c.de", "ana@example.com, bo@example.com", "x" * 250 + "@a.de", 5)),
    *(
        (fields.phone, value)
        for value in ("030 901820", "+49", "call me", "+49 30 901820 901820 901820", "+0123456789")
    ),
    *((fields.number, value) for value in ("many", "nan", float("inf"), True)),
    *((fields.boolean, value) for value in ("maybe", 2)),
    *((fields.unix_seconds, value) for value in ("yesterday", True)),
]


@pytest.mark.parametrize(("normal", "value", "expected"), GOOD)
def test_values_are_normalised(normal: Callable[[Any], Any], value: Any, expected: Any) -> None:
    assert normal(value) == expected
    assert type(normal(value)) is type(expected)


@pytest.mark.parametrize(("normal", "value"), BAD)
def test_what_is_no_such_thing_is_refused_without_being_told(normal: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises((ValueError, TypeError)) as refused:
        normal(value)
    assert str(value) == "nan" or "@" not in str(refused.value)


@pytest.mark.parametrize(
    ("sent", "there", "expected"),
    [
        ({"a": "1", "b": True}, {"a": 1, "b": "true", "c": "theirs"}, True),
        ({"a": ""}, {"a": None}, True),
        ({"a": None}, {}, True),
        ({"a": "x"}, {}, False),
        ({"a": "x"}, {"a": "X"}, False),
        ({"a": 0}, {"a": ""}, False),
    ],
)
def test_what_a_tool_has_is_alike_as_text(sent: dict[str, Any], there: dict[str, Any], *, expected: bool) -> None:
    assert fields.alike(sent, there) is expected
