"""Personal data out of texts that people read: what a tool says about a person's row, and previews of payloads."""

import re
from collections.abc import Mapping
from typing import Any

_EMAIL = re.compile(r"[^\s@\"'<>(),;:=]+@[^\s@\"'<>(),;:]+")
_DIGITS = re.compile(r"\+?\d[\d\s().-]{5,}\d")
_KEPT = 2  # letters at the beginning


def masked(text: str) -> str:
    """Return the text without addresses and without longer numbers."""
    return _DIGITS.sub("…", _EMAIL.sub("…@…", text))


def masked_value(value: Any) -> Any:
    """Return a value of a payload so that its shape shows and its person does not.

    >>> masked_value({"email": "ana@example.com", "visits": 3, "tags": ["vip"]})
    {'email': 'an…@…', 'visits': 3, 'tags': ['vi…']}
    """
    match value:
        case str():
            return f"{value[:_KEPT]}…@…" if "@" in value else f"{value[:_KEPT]}…" if len(value) > _KEPT else value
        case Mapping():
            return {name: masked_value(each) for name, each in value.items()}
        case list() | tuple():
            return [masked_value(each) for each in value]
        case int() if not isinstance(value, bool) and abs(value) >= 10**6:  # may be a phone number
            return 0
    return value
