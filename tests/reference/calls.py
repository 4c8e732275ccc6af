"""The six calls: their tables and system columns, and why an event is quarantined (RULES 1.4, 2.1, 2.2)."""

from dataclasses import dataclass, field

from reference.json_text import Node
from reference.lines import Fields
from reference.model import Column, Columns
from reference.names import identifier, limited

IDS = {"anonymous_id": "anonymousId", "user_id": "userId"}
TIMES = {
    "received_at": "receivedAt",
    "sent_at": "sentAt",
    "original_timestamp": "originalTimestamp",
    "timestamp": "timestamp",
}
NOT_STRING = {
    "messageId": "message_id_not_string",
    "userId": "user_id_not_string",
    "anonymousId": "anonymous_id_not_string",
    "event": "event_not_string",
    "name": "name_not_string",
    "category": "category_not_string",
    "groupId": "group_id_not_string",
    "previousId": "previous_id_not_string",
}
MISSING = {"event": "missing_event", "groupId": "missing_group_id", "previousId": "missing_previous_id"}


@dataclass(frozen=True, slots=True)
class Call:
    """One of the six: its table, the keys whose objects give columns, and its own text columns with their keys."""

    table: str
    roots: tuple[str, ...]
    texts: dict[str, str] = field(default_factory=dict)


CALLS = {
    "identify": Call("identifies", ("context", "traits")),
    "track": Call("tracks", ("context", "properties"), {"event_text": "event"}),
    "page": Call("pages", ("context", "properties"), {"name": "name", "category": "category"}),
    "screen": Call("screens", ("context", "properties"), {"name": "name", "category": "category"}),
    "group": Call("groups", ("context", "traits"), {"group_id": "groupId"}),
    "alias": Call("aliases", ("context",), {"previous_id": "previousId"}),
}
TRACK = CALLS["track"]
NAMED = ("pages", "screens")  # their name and category are shared with the properties
FIXED = {call.table: call for call in CALLS.values()}
RESERVED = (*FIXED, "users", "accounts")


def string(node: Node | None) -> str | None:
    """Return a string that is not empty, else None."""
    return str(node.value) if node is not None and node.kind == "string" and node.value else None


def call_type(fields: Fields) -> str:
    """Return the type of a call in small letters; empty where it has none."""
    return (string(fields.get("type")) or "").lower()


def fault(fields: Fields) -> str | None:
    """Return the first reason to quarantine the event, None where it is good."""
    if not call_type(fields):
        return "missing_type"
    if call_type(fields) not in CALLS:
        return "unknown_type"
    call = CALLS[call_type(fields)]
    for key in ("messageId", "userId", "anonymousId"):
        if key in fields and fields[key].kind != "string":
            return NOT_STRING[key]
    for key in call.roots:
        if key in fields and fields[key].kind != "object":
            return f"{key}_not_object"
    for key in call.texts.values():
        if key in MISSING and (key not in fields or fields[key].value == ""):
            return MISSING[key]
        if key in fields and fields[key].kind != "string":
            return NOT_STRING[key]
    if string(fields.get("userId")) is None and string(fields.get("anonymousId")) is None:
        return "missing_user_id"
    return None


def table(fields: Fields) -> str:
    """Return the table of a good event, for a track its event table."""
    if call_type(fields) != "track":
        return CALLS[call_type(fields)].table
    name = identifier(str(fields["event"].value))
    return limited(f"_{name}" if name in RESERVED else name)


def is_event_table(name: str) -> bool:
    """Return whether the table is one of a track event's name."""
    return name not in RESERVED


def system_columns(name: str) -> Columns:
    """Return the columns that a table has before any data, users and accounts excepted."""
    call = FIXED.get(name, TRACK)
    texts = ["id", *IDS, *call.texts, "load_id"]
    if call is TRACK:
        texts.append("event")
    return {key: Column("timestamp") for key in (*TIMES, "loaded_at")} | {key: Column("string") for key in texts}
