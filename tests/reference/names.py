"""Identifiers of tables and columns from event names and keys (RULES 3)."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from anyascii import anyascii

from reference.json_strings import without_surrogates

MAX_BYTES = 127
TOKEN = re.compile(r"[A-Z0-9]+[a-z0-9]*|[a-z][a-z0-9]*")


def identifier(key: str) -> str:
    """Return the identifier of one key or event name, of any length."""
    text = "".join(map(_ascii, unicodedata.normalize("NFC", key)))
    found = "_".join(token.lower() for token in TOKEN.findall(text))
    return found or "n_" + _digest(without_surrogates(key).replace("\0", "�"))


def joined(keys: Sequence[str]) -> str:
    """Return the identifiers of a path's keys as one, of any length."""
    return "_".join(identifier(key) for key in keys)


def limited(name: str) -> str:
    """Return a whole identifier, prefix included, cut to 127 bytes; a digest keeps it distinct."""
    if len(name) <= MAX_BYTES:  # identifiers are ASCII
        return name
    return name[:118] + "_" + _digest(name)


def _ascii(character: str) -> str:
    if character.isascii():
        return character
    if character.isalnum() or unicodedata.category(character).startswith("M"):
        return anyascii(character)
    return character


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
