"""From the bytes of a file to its events (RULES 1.1 to 1.3)."""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reference.json_text import Node, NotJsonError, nesting, parse
from reference.model import File, Quarantined

MAX_NESTING = 500
INHERITED = ("receivedAt", "sentAt")

Fields = dict[str, Node]  # a call's top-level keys, nulls left out; the last of a key counts


@dataclass(frozen=True, slots=True)
class Event:
    """One call received; `hashed` is what its hashes are taken of."""

    file: File
    line: int
    hashed: bytes
    fields: Fields


def events(files: Sequence[File], max_line_bytes: int) -> tuple[list[Event], list[Quarantined]]:
    """Return the events of all files in order, and the lines and elements that are none."""
    good: list[Event] = []
    bad: list[Quarantined] = []
    for file in files:
        for number, line in _lines(file.content):
            for found in _events(file, number, line, max_line_bytes):
                if isinstance(found, Event):
                    good.append(found)
                else:
                    bad.append(Quarantined(file.key, number, found))
    return good, bad


def _lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if stripped := line.strip(b" \t\r"):
            yield number, stripped


def _events(file: File, number: int, line: bytes, max_line_bytes: int) -> Iterator[Event | str]:
    """Yield the events of a line; for each that is none, the reason."""
    node = _object(line, max_line_bytes)
    if isinstance(node, str):
        yield node
        return
    keys = dict(node.pairs)
    if "batch" not in keys or "type" in keys:
        yield Event(file, number, line, _fields(node))
    elif keys["batch"].kind != "array":
        yield "batch_not_array"
    elif not keys["batch"].items:
        yield "empty_batch"
    elif len(keys["batch"].items) > 1 << 20:
        yield "too_many_calls"
    else:
        for index, element in enumerate(keys["batch"].items):
            if element.kind == "object":
                yield Event(file, number, line + b"#%d" % index, _inheriting(_fields(element), _fields(node)))
            else:
                yield "not_object"


def _object(line: bytes, max_line_bytes: int) -> Node | str:
    """Return the object of a line, or why it is none."""
    if len(line) > max_line_bytes:
        return "line_too_long"
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "invalid_utf8"
    if nesting(text) > MAX_NESTING:
        return "too_deep"
    try:
        node = parse(text)
    except NotJsonError:
        return "not_json"
    return node if node.kind == "object" else "not_object"


def _fields(node: Node) -> Fields:
    return {key: value for key, value in dict(node.pairs).items() if value.kind != "null"}


def _inheriting(element: Fields, envelope: Fields) -> Fields:
    fields = dict(element)
    for key in INHERITED:
        if key in envelope:
            fields.setdefault(key, envelope[key])
    if "context" in envelope:
        mine, theirs = fields.setdefault("context", envelope["context"]), envelope["context"]
        if mine is not theirs and mine.kind == theirs.kind == "object":
            fields["context"] = _merged(mine, theirs)
    return fields


def _merged(element: Node, envelope: Node) -> Node:
    """Return both contexts as one; it was never sent, so it has no text."""
    taken = {key for key, _ in element.pairs}
    inherited = tuple(pair for pair in envelope.pairs if pair[0] not in taken)
    return Node("object", "", None, pairs=inherited + element.pairs)
