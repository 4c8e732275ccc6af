"""The six calls of the Segment spec: their tables, their system columns, where their values lie.

Source: the Segment warehouse schema (segment.com/docs/connections/storage/warehouses/schema) and spec.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType

from loader.core.names import identifier, shortened
from loader.core.types import ColumnType

TIMES: Mapping[str, str] = {  # column → key of the call
    "received_at": "receivedAt",
    "sent_at": "sentAt",
    "original_timestamp": "originalTimestamp",
    "timestamp": "timestamp",
}
LOAD_COLUMNS = ("loaded_at", "load_id")  # written by the warehouse's insert, not by the shredder
OVERFLOW, CONTEXT_OVERFLOW = "extra", "context_extra"  # json columns of a table at `max_columns`
CONTEXT_PREFIX = "context_"
_REMEMBERED = 1 << 14  # columns of paths: thousands of tables have the same ones, and share their names in memory
TRACKS = "tracks"


@dataclass(frozen=True, slots=True)
class Call:
    """One of the six calls."""

    type: str
    table: str | None  # None: a table per event name
    body: str | None  # key of the object whose keys become columns without a prefix
    texts: Mapping[str, str]  # its own text columns → key of the call

    @property
    def system(self) -> frozenset[str]:
        """The columns that no key of `body` may take."""
        shared = {"name", "category"} & set(self.texts)  # pages copy them into their properties
        return frozenset({"id", "anonymous_id", "user_id", *TIMES, *LOAD_COLUMNS, *self.texts} - shared)


CALLS: Mapping[str, Call] = {
    call.type: call
    for call in (
        Call("track", None, "properties", {"event": "", "event_text": "event"}),
        Call("identify", "identifies", "traits", {}),
        Call("page", "pages", "properties", {"name": "name", "category": "category"}),
        Call("screen", "screens", "properties", {"name": "name", "category": "category"}),
        Call("group", "groups", "traits", {"group_id": "groupId"}),
        Call("alias", "aliases", None, {"previous_id": "previousId"}),
    )
}

# Latest values per person and per account: table → (source table, its key column, columns left out).
PROFILES: Mapping[str, tuple[str, str, frozenset[str]]] = {
    "users": ("identifies", "user_id", frozenset({"id", "user_id", "anonymous_id"})),
    "accounts": ("groups", "group_id", frozenset({"id", "group_id"})),
}
BUILT_IN = frozenset({TRACKS, *PROFILES, *(call.table for call in CALLS.values() if call.table)})


def event_table(event: str) -> str:
    """Return the table of a track event; one that would be a built-in table gets `_` in front."""
    name = identifier(event)
    return shortened(f"_{name}" if name in BUILT_IN else name)


def body_column(call: Call, keys: tuple[str, ...]) -> str:
    """Return the column of a path below the call's body; one that collides gets `_` in front."""
    return _body_column(call.type, keys)


@lru_cache(_REMEMBERED)
def _body_column(kind: str, keys: tuple[str, ...]) -> str:
    name = "_".join(map(identifier, keys))
    taken = name in CALLS[kind].system or name == OVERFLOW or name.startswith(CONTEXT_PREFIX)
    return shortened(f"_{name}" if taken else name)


@lru_cache(_REMEMBERED)
def context_column(keys: tuple[str, ...]) -> str:
    """Return the column of a path below `context`; one that would be the overflow column gets a second `_`."""
    name = CONTEXT_PREFIX + "_".join(map(identifier, keys))
    return shortened(f"{CONTEXT_PREFIX}_{name.removeprefix(CONTEXT_PREFIX)}" if name == CONTEXT_OVERFLOW else name)


def system_columns(call: Call) -> Mapping[str, ColumnType]:
    """Return the columns that every table of the call has, in order; load columns last."""
    return _system_columns(tuple(call.texts))


@cache  # it is asked for with every column of every part
def _system_columns(texts: tuple[str, ...]) -> Mapping[str, ColumnType]:
    text, time = ColumnType.STRING, ColumnType.TIMESTAMP
    return MappingProxyType(
        {
            "id": text,
            **dict.fromkeys(TIMES, time),
            "anonymous_id": text,
            "user_id": text,
            **dict.fromkeys(texts, text),
            "loaded_at": time,
            "load_id": text,
        }
    )
