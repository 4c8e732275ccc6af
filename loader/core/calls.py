"""Lines → calls of the Segment spec: which event each line is, or why it is none.

One native scan reads the few fields that decide. Only lines that it refuses are looked at one by one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from loader.core import spec
from loader.core.places import MAX_ELEMENTS

MAX_NESTING = 500  # brackets; BigQuery's limit for JSON, and far below what native parsers survive
_CHUNK = 256  # lines scanned again when one of a block is refused
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}:,]', re.DOTALL)
_HALF = rb"[0-9a-fA-F]{2}"
_ESCAPES = re.compile(
    rb"\\u[dD][89abAB]%b\\u[dD][c-fC-F]%b|\\(?:u0000|u[dD][89a-fA-F]%b)|\\." % (_HALF, _HALF, _HALF), re.DOTALL
)
_UNSTORABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class Something(msgspec.Struct, gc=False):
    """An object whose content is read later."""


class Head(msgspec.Struct, gc=False):
    """The fields of a call that decide what it is."""

    type: str | None = None
    event: str | None = None
    messageId: str | None = None  # noqa: N815 - the key in the line
    userId: str | None = None  # noqa: N815 - the key in the line
    anonymousId: str | None = None  # noqa: N815 - the key in the line
    groupId: str | None = None  # noqa: N815 - the key in the line
    previousId: str | None = None  # noqa: N815 - the key in the line
    name: str | None = None
    category: str | None = None
    receivedAt: str | None = None  # noqa: N815 - the key in the line
    sentAt: str | None = None  # noqa: N815 - the key in the line
    timestamp: str | None = None
    originalTimestamp: str | None = None  # noqa: N815 - the key in the line
    context: Something | None = None
    properties: Something | None = None
    traits: Something | None = None


_HEADS = msgspec.json.Decoder(Head)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY = msgspec.json.Decoder(msgspec.Raw)

# The order of RULES 1.4: key, the first byte its value must have, reason.
_SHAPES = (
    ("messageId", b'"', "message_id_not_string"),
    ("userId", b'"', "user_id_not_string"),
    ("anonymousId", b'"', "anonymous_id_not_string"),
    ("context", b"{", "context_not_object"),
)
_REQUIRED = {
    "track": ("event", "missing_event", "event_not_string"),
    "group": ("groupId", "missing_group_id", "group_id_not_string"),
    "alias": ("previousId", "missing_previous_id", "previous_id_not_string"),
}
_NOT_STRING = {"name": "name_not_string", "category": "category_not_string"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A line that carries several calls."""

    elements: tuple[bytes, ...]


def heads(data: bytes | memoryview, count: int, line_at: "Slices") -> list[Head | None]:
    """Return the head of each of `count` lines that look like objects; None where the scan refuses one.

    `line_at` gives the bytes of lines `start` to `stop`.
    """
    found = _scanned(data, count)
    if found is not None:
        return found
    result: list[Head | None] = []
    for start in range(0, count, _CHUNK):
        stop = min(start + _CHUNK, count)
        part = _scanned(line_at(start, stop), stop - start)
        result += part if part is not None else [head(line_at(row, row + 1)) for row in range(start, stop)]
    return result


class Slices(msgspec.Struct, frozen=True):
    """Bytes of a range of lines."""

    data: memoryview
    offsets: list[int]

    def __call__(self, start: int, stop: int) -> memoryview:
        return self.data[self.offsets[start] : self.offsets[stop]]


def _scanned(data: bytes | memoryview, count: int) -> list[Head | None] | None:
    try:
        found: Sequence[Head] = _HEADS.decode_lines(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    return list(found) if len(found) == count else None


def head(line: bytes | memoryview) -> Head | None:
    """Return the head of one line, or None where a field is not what the spec says or the line is no object."""
    try:
        return _HEADS.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None


def essentials(line: bytes) -> Head:
    """Return the head of an event whose other fields need not be what the spec says."""
    keys = _OBJECT.decode(line)
    wanted = ("type", "event", "messageId", "userId", "anonymousId", "groupId", "previousId")
    return msgspec.convert({key: _string(keys.get(key)) for key in wanted}, Head)


def objection(head: Head) -> str | None:
    """Return why a well-typed call is none: a key that it must have is not there."""
    if not head.type:
        return "missing_type"
    kind = head.type.lower()
    if kind not in spec.CALLS:
        return "unknown_type"
    if kind == "track" and not head.event:
        return "missing_event"
    if kind == "group" and not head.groupId:
        return "missing_group_id"
    if kind == "alias" and not head.previousId:
        return "missing_previous_id"
    return None if head.userId or head.anonymousId else "missing_user_id"


def diagnosis(line: bytes) -> str | Envelope | None:
    """Return why one line is no event, the calls it carries, or None if it is an event after all.

    The line has valid UTF-8 and at most the allowed length.
    """
    if nesting(line) > MAX_NESTING:
        return "too_deep"
    clean = storable(line)
    try:
        value = _ANY.decode(clean)
    except msgspec.DecodeError:
        return "not_json"
    if not bytes(value).startswith(b"{"):
        return "not_object"
    keys = _OBJECT.decode(clean)
    return _envelope(line, clean, keys) if "batch" in keys and "type" not in keys else _reason(keys)


def storable(text: bytes) -> bytes:
    """Return JSON text with NUL and lone surrogate escapes as U+FFFD, of the same length."""
    if not _UNSTORABLE.search(text):
        return text
    return _ESCAPES.sub(lambda found: rb"\ufffd" if len(found[0]) == 6 else found[0], text)


def nesting(line: bytes) -> int:
    """Return how deep the brackets of a line nest, whether or not it is JSON."""
    depth = deepest = 0
    for token in _BRACKETS.finditer(line):
        byte = token[0][:1]
        depth += 1 if byte in b"[{" else -1 if byte in b"]}" else 0
        deepest = max(deepest, depth)
    return deepest


def _envelope(line: bytes, clean: bytes, keys: dict[str, msgspec.Raw]) -> str | Envelope:
    """Return the calls of an envelope, as they were sent in `line`; `clean` is the line with storable escapes."""
    base = pa.py_buffer(clean).address

    def sent(value: msgspec.Raw) -> bytes:
        start = pa.py_buffer(value).address - base
        return line[start : start + len(memoryview(value))]

    batch = keys["batch"]
    if not bytes(batch).startswith(b"["):
        return "batch_not_array"
    elements = msgspec.json.decode(batch, type=list[msgspec.Raw])
    if not elements:
        return "empty_batch"
    if len(elements) > MAX_ELEMENTS:
        return "too_many_calls"
    lent = {key: sent(keys[key]) for key in ("context", "receivedAt", "sentAt") if not _null(keys.get(key))}
    return Envelope(tuple(_inherited(sent(element), lent) for element in elements))


def _inherited(element: bytes, lent: dict[str, bytes]) -> bytes:
    """Return an element with what the envelope lends it; two contexts are merged, the element's keys win."""
    if not lent or not element.startswith(b"{"):
        return element
    own = [(key, value) for key, value in pairs(element) if key not in lent or value != b"null"]
    there = dict(own)
    if (
        "context" in lent
        and "context" in there
        and all(each.startswith(b"{") for each in (lent["context"], there["context"]))
    ):
        ours = pairs(there["context"])
        taken = {key for key, _ in ours}
        merged = _object([*(each for each in pairs(lent["context"]) if each[0] not in taken), *ours])
        own = [(key, merged if key == "context" else value) for key, value in own]
    added = [(key, value) for key, value in lent.items() if key not in there]
    return _object([*own, *added])


def pairs(text: bytes) -> list[tuple[str, bytes]]:
    """Return the keys and the JSON texts of an object's values, in order; a key may come twice."""
    found: list[tuple[str, bytes]] = []
    depth, key, start = 0, b"", 0
    for token in _TOKENS.finditer(text):
        match token[0][:1]:
            case b"{" | b"[":
                depth += 1
                start = token.end() if depth == 1 else start
            case b":" if depth == 1:
                key, start = text[start : token.start()].strip(), token.end()
            case b",":
                if depth == 1:
                    found.append((_key(key), text[start : token.start()].strip()))
                    start = token.end()
            case b"}" | b"]":
                depth -= 1
                if depth == 0 and key:
                    found.append((_key(key), text[start : token.start()].strip()))
    return found


def _key(text: bytes) -> str:
    return msgspec.json.decode(storable(text), type=str)


def _object(members: list[tuple[str, bytes]]) -> bytes:
    return b"{" + b",".join(msgspec.json.encode(key) + b":" + value for key, value in members) + b"}"


def _reason(keys: dict[str, msgspec.Raw]) -> str | None:
    kind = _string(keys.get("type"))
    if not kind:
        return "missing_type"
    call = spec.CALLS.get(kind.lower())
    if call is None:
        return "unknown_type"
    shapes: list[tuple[str, bytes, str]] = list(_SHAPES)
    if call.body:
        shapes.append((call.body, b"{", f"{call.body}_not_object"))
    for key, first, reason in shapes:
        if not _null(keys.get(key)) and not bytes(keys[key]).startswith(first):
            return reason
    if call.type in _REQUIRED:
        key, missing, wrong = _REQUIRED[call.type]
        if _null(keys.get(key)) or bytes(keys[key]) == b'""':
            return missing
        if _string(keys[key]) is None:
            return wrong
    for key in call.texts:
        if key in _NOT_STRING and not _null(keys.get(key)) and _string(keys[key]) is None:
            return _NOT_STRING[key]
    return None if _string(keys.get("userId")) or _string(keys.get("anonymousId")) else "missing_user_id"


def _null(value: msgspec.Raw | None) -> bool:
    return value is None or bytes(value) == b"null"


def _string(value: msgspec.Raw | None) -> str | None:
    text = b"" if value is None else bytes(value)
    if not text.startswith(b'"'):
        return None
    string: str = msgspec.json.decode(text, type=str)
    return string
