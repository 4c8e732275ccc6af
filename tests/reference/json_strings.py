"""The strings of JSON: their escapes, and those that no warehouse can store."""

import re

SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}  # the others stand for themselves
# A high surrogate pairs only with a low one right behind it, so pairs come first.
ESCAPE = re.compile(
    r"\\(?:u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|u(?P<unit>[0-9a-fA-F]{4})|(?P<short>.))"
)
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def decoded(literal: str) -> str:
    """Return the string of a valid JSON literal, quotes included; lone surrogates stay in it."""
    return ESCAPE.sub(_character, literal[1:-1])


def storable(text: str) -> str:
    """Return JSON text with U+FFFD for each NUL and each lone surrogate of its strings and keys."""
    return ESCAPE.sub(_storable_escape, text)


def without_surrogates(string: str) -> str:
    """Return the string with U+FFFD for each lone surrogate, so that it can be encoded."""
    return LONE_SURROGATE.sub("\ufffd", string)


def _character(escape: re.Match[str]) -> str:
    high, low, unit, short = escape.group("high", "low", "unit", "short")
    if high:
        return chr(0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00)
    if unit:
        return chr(int(unit, 16))
    return SHORT.get(short, short)


def _storable_escape(escape: re.Match[str]) -> str:
    unit = escape.group("unit")
    if unit and (int(unit, 16) == 0 or 0xD800 <= int(unit, 16) <= 0xDFFF):
        return "\ufffd"
    return escape.group()
