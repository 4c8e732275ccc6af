"""Event and property names → identifiers, as Segment's warehouses name them.

The rule is that of go-snakecase (github.com/segmentio/go-snakecase, read through its tests), so that
existing dbt packages and dashboards find their tables. Where it would delete a name we decide:
letters beyond ASCII are transliterated, and a name left empty becomes `n_` and a hash.
"""

import hashlib
import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

MAX_BYTES = 127  # Redshift's limit, the shortest of the warehouses; the same names everywhere
_WORDS = re.compile(r"[A-Z0-9]+[a-z0-9]*|[a-z][a-z0-9]*")
_HASH_DIGITS = 8


@lru_cache(maxsize=65_536)
def identifier(name: str) -> str:
    """Return `name` in snake case: ASCII letters, digits and `_`, never empty, of any length."""
    text = name if name.isascii() else _transliterated(name)
    return "_".join(word.lower() for word in _WORDS.findall(text)) or f"n_{_hash(name)}"


def shortened(name: str) -> str:
    """Return an identifier of at most `MAX_BYTES`: an over-long one ends in a hash of the whole."""
    if len(name) <= MAX_BYTES:
        return name
    return f"{name[: MAX_BYTES - _HASH_DIGITS - 1]}_{_hash(name)}"


def _transliterated(name: str) -> str:
    return "".join(
        anyascii(char) if char.isalnum() or unicodedata.category(char).startswith("M") else char
        for char in unicodedata.normalize("NFC", name)
    )


def _hash(name: str) -> str:
    # NUL and lone surrogates count as U+FFFD, like everywhere in this project.
    clean = "".join("�" if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in name)
    return hashlib.sha256(clean.encode()).hexdigest()[:_HASH_DIGITS]
