"""A JSON parser (RFC 8259) that keeps what others lose: the text as sent, and keys sent twice.

It uses an explicit stack, because lines may nest deeper than Python's own.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from reference.json_strings import decoded

JsonKind = Literal["object", "array", "string", "number", "boolean", "null"]
CLOSER = {"{": "}", "[": "]"}
CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
SPACE = re.compile(r"[ \t\n\r]*")
STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


class NotJsonError(ValueError):
    """The text is not one JSON value."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One JSON value: its kind, its text as sent, the same as plain Python, and what it holds.

    `pairs` are an object's, in order and with duplicates; in `value` the last of a key counts.
    """

    kind: JsonKind
    text: str
    value: object
    pairs: tuple[tuple[str, "Node"], ...] = ()
    items: tuple["Node", ...] = ()


@dataclass(slots=True)
class _Open:
    """An object or array whose end has not been read yet; in arrays every key is empty."""

    bracket: str
    start: int
    key: str = ""
    children: list[tuple[str, Node]] = field(default_factory=list)


def nesting(text: str) -> int:
    """Return how deep brackets nest outside strings, whether the text is JSON or not."""
    depth = deepest = 0
    for token in STRING_OR_BRACKET.findall(text):
        if token in ("{", "["):
            depth += 1
            deepest = max(deepest, depth)
        elif token in ("}", "]"):
            depth -= 1
    return deepest


def parse(text: str) -> Node:
    """Return the one value of `text`, or raise NotJsonError."""
    unfinished: list[_Open] = []
    at = _behind_space(text, 0)
    while True:
        node, at = _begun(text, at, unfinished)
        if node is not None:
            node, at = _placed(text, at, node, unfinished)
        if node is not None:
            if _behind_space(text, at) != len(text):
                raise NotJsonError(f"there is something behind the value at {at}")
            return node


def same(left: Node, right: Node) -> bool:
    """Return whether two values are one as parsed: 1 is 1.0, but true is not 1; the order of keys means nothing."""
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if one.kind != other.kind:
            return False
        if one.kind == "object":
            ones, others = dict(one.pairs), dict(other.pairs)
            if ones.keys() != others.keys():
                return False
            pairs += [(ones[key], others[key]) for key in ones]
        elif one.kind == "array":
            if len(one.items) != len(other.items):
                return False
            pairs += list(zip(one.items, other.items, strict=True))
        elif one.value != other.value:
            return False
    return True


def _behind_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


def _begun(text: str, at: int, unfinished: list[_Open]) -> tuple[Node | None, int]:
    """Return the value at `at` and its end; or none, and where the first value of what it holds begins."""
    if text[at : at + 1] not in CLOSER:
        node = _scalar(text, at)
        return node, at + len(node.text)
    container = _Open(text[at], at)
    at = _behind_space(text, at + 1)
    if text[at : at + 1] == CLOSER[container.bracket]:
        return _closed(text, at + 1, container), at + 1
    unfinished.append(container)
    return None, _behind_key(text, at, container)


def _placed(text: str, at: int, node: Node, unfinished: list[_Open]) -> tuple[Node | None, int]:
    """Put a value where it belongs, and close all that closes behind it.

    Return the outermost value once it is whole; before that none, and where the next value begins.
    """
    while unfinished:
        container = unfinished[-1]
        container.children.append((container.key, node))
        at = _behind_space(text, at) + 1
        mark = text[at - 1 : at]
        if mark == ",":
            return None, _behind_key(text, _behind_space(text, at), container)
        if mark != CLOSER[container.bracket]:
            raise NotJsonError(f"expected a comma or `{CLOSER[container.bracket]}` at {at - 1}")
        node = _closed(text, at, unfinished.pop())
    return node, at


def _behind_key(text: str, at: int, container: _Open) -> int:
    """In an object read a key and its colon; return where the value begins."""
    if container.bracket == "[":
        return at
    found = STRING.match(text, at)
    if not found:
        raise NotJsonError(f"expected a key at {at}")
    container.key = decoded(found.group())
    at = _behind_space(text, found.end())
    if text[at : at + 1] != ":":
        raise NotJsonError(f"expected a colon at {at}")
    return _behind_space(text, at + 1)


def _closed(text: str, end: int, container: _Open) -> Node:
    sent = text[container.start : end]
    if container.bracket == "{":
        plain = {key: node.value for key, node in container.children}
        return Node("object", sent, plain, pairs=tuple(container.children))
    items = tuple(node for _, node in container.children)
    return Node("array", sent, [node.value for node in items], items=items)


def _scalar(text: str, at: int) -> Node:
    for word, constant in CONSTANTS.items():
        if text.startswith(word, at):
            return Node("null" if constant is None else "boolean", word, constant)
    if found := STRING.match(text, at):
        return Node("string", found.group(), decoded(found.group()))
    if found := NUMBER.match(text, at):
        return Node("number", found.group(), _number(found.group()))
    raise NotJsonError(f"expected a value at {at}")


def _number(text: str) -> int | float:
    if any(mark in text for mark in ".eE"):
        return float(text)
    return int(Decimal(text))  # int() itself refuses more than 4,300 digits
