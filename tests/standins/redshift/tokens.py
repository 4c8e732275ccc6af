"""SQL text → tokens, so that rules look at words and never into strings, names or comments."""

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<string>'(?:[^'\\]|''|\\.)*')
  | (?P<name>"(?:[^"]|"")*")
  | (?P<word>[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)
  | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
  | (?P<sign>::|<>|<=|>=|!=|<<|>>|\|\||\$\d+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


LONGEST = 63  # bytes of a name in PostgreSQL; Redshift has 127


class Token(NamedTuple):
    """A word (lower case in `is_`), a quoted name, a string, a number or a sign, and where it lies in the text."""

    kind: str
    text: str
    start: int
    end: int

    def is_(self, *words: str) -> bool:
        """Return whether it is one of these words or signs."""
        return self.kind in ("word", "sign") and self.text.lower() in words

    @property
    def name(self) -> str:
        """A quoted name as Redshift has it."""
        return self.text[1:-1].replace('""', '"').lower()

    @property
    def value(self) -> str:
        """A string's content; a name as the catalogue has it (lower case, also when quoted, as Redshift folds)."""
        match self.kind:
            case "string":
                return re.sub(r"\\(.)|''", lambda found: found[1] or "'", self.text[1:-1], flags=re.DOTALL)
            case "name":
                return stored(self.name)
            case _:
                return self.text.lower()


def stored(name: str) -> str:
    """Return what PostgreSQL holds for a name of more than 63 bytes: the catalogue's views tell the long one."""
    if len(name.encode()) <= LONGEST:
        return name
    return f"{name[:40]}#{hashlib.md5(name.encode()).hexdigest()[:16]}"


def tokens(sql: str) -> list[Token]:
    """Return the tokens of a text, without white space and comments."""
    return [
        Token(found.lastgroup or "", found[0], found.start(), found.end())
        for found in _TOKEN.finditer(sql)
        if found.lastgroup != "space"
    ]


def words(found: Sequence[Token]) -> str:
    """Return tokens as one lower-case text with single spaces: strings empty, names as `"…"`."""
    spelled = {"string": "''", "name": '"…"'}
    return " ".join(spelled.get(each.kind, each.text.lower()) for each in found)


def is_identifier(token: Token) -> bool:
    """Return whether a token can be a name."""
    return token.kind in ("word", "name")


def name_at(found: Sequence[Token], position: int) -> tuple[list[str], int]:
    """Return a dotted name that begins at a position, and where it ends."""
    parts = [found[position].value]
    position += 1
    while position + 1 < len(found) and found[position].is_("."):
        parts.append(found[position + 1].value)
        position += 2
    return parts, position


def closing(found: Sequence[Token], opening: int) -> int:
    """Return the position of the bracket that closes the one at `opening`."""
    depth = 0
    for position in range(opening, len(found)):
        depth += found[position].is_("(") - found[position].is_(")")
        if not depth:
            return position
    return len(found) - 1


def split(found: Sequence[Token]) -> list[list[Token]]:
    """Return tokens split at the commas that are in no brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for each in found:
        depth += each.is_("(") - each.is_(")")
        if each.is_(",") and not depth:
            parts.append([])
        else:
            parts[-1].append(each)
    return parts
