"""Warehouse columns → a tool's fields: normalised, hashed where it wants hashes, checked."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import msgspec

from loader.core.audience import Member, Op, Refused
from loader.core.destination import Destination
from loader.core.fields import Field, Null

_HASH = re.compile(r"[0-9a-f]{64}")
_OMITTED = object()
_ENCODER = msgspec.json.Encoder()
Fields = dict[str, Any]


class MappingError(ValueError):
    """A map that can send nothing: the message names the field."""


def mapped(
    destination: Destination[Any], fields: Mapping[str, str], columns: Sequence[str], prehashed: Iterable[str] = ()
) -> Callable[[Sequence[Any]], Fields | Refused]:
    """Return the function from a row's values, in the order of `columns`, to the tool's fields.

    `fields`: field → column. Raises MappingError for a field that the tool does not have, and for a map without any
    identifier or without a field that it requires.
    """
    chosen, prehashed = checked(destination, fields, prehashed), set(prehashed)
    makers = [
        (each.name, columns.index(fields[each.name]), _maker(each, prehashed=each.name in prehashed)) for each in chosen
    ]
    identity, required = [name for name in destination.identity if name in fields], bool(destination.identity)

    def map_row(row: Sequence[Any]) -> Fields | Refused:
        found: Fields = {}
        for name, place, make in makers:
            try:
                value = make(row[place])
            except (ValueError, TypeError, OverflowError) as error:
                return Refused("invalid_value", f"{name} {_reason(error)}")
            if value is not _OMITTED:
                found[name] = value
        if required and not any(found.get(name) not in (None, "") for name in identity):
            return Refused("no_identifier", f"none of {', '.join(identity)} is set")
        return found

    return map_row


def checked(destination: Destination[Any], fields: Mapping[str, str], prehashed: Iterable[str]) -> list[Field]:
    """Return the tool's fields of a map, in order. Raises MappingError where the map can send nothing."""
    chosen, hashed = [field_of(destination, name) for name in fields], set(prehashed)
    if destination.identity and not set(destination.identity) & fields.keys():
        raise MappingError(f"{destination.title} knows people by {' or '.join(destination.identity)}; map one of them")
    for each in destination.fields:
        if each.required and each.name not in fields:
            raise MappingError(f"{destination.title} requires {each.name!r}; map a column to it")
    for each in chosen:
        if each.name in hashed and not each.hashed:
            raise MappingError(f"{each.name!r} is not hashed by {destination.title}; take it out of `prehashed`")
    for name in hashed - fields.keys():
        raise MappingError(f"{name!r} is in `prehashed` but not in `fields`")
    return chosen


def encoded(destination: Destination[Any], settings: Any, member: Member) -> Member | Refused:
    """Return the member with its payload, or why the tool cannot hold it."""
    payload = destination.encode(settings, member)
    if isinstance(payload, Refused):
        return payload
    raw = _ENCODER.encode(payload)
    if len(raw) > destination.limits.row_bytes:
        return Refused("too_large", f"{len(raw):,} bytes, and the tool takes {destination.limits.row_bytes:,}")
    return Member(member.key, member.op, member.fields, member.version, member.remote_id, payload, msgspec.Raw(raw))


def identifiers(destination: Destination[Any], settings: Any, fields: Mapping[str, Any]) -> Fields:
    """Return the identifiers as they are sent: what a later removal needs."""
    names = destination.named_by(settings) if destination.named_by else destination.identity
    found = {name: fields[name] for name in names if fields.get(name) not in (None, "")}
    return dict(list(found.items())[:1]) if destination.named_by else found


def field_of(destination: Destination[Any], name: str) -> Field:
    """Return the tool's field of that name. Raises MappingError where it has none."""
    for each in destination.fields:
        if each.name == name:
            return each
    if destination.extra is None:
        known = ", ".join(each.name for each in destination.fields)
        raise MappingError(f"{destination.title} has no field {name!r}; it has {known}")
    return replace(destination.extra, name=name)


def _maker(field: Field, *, prehashed: bool) -> Callable[[Any], Any]:
    """Return the function from a column's value to the field's."""
    normal, longest, hashed = field.normal, field.max_length, field.hashed and not prehashed
    absent = {Null.SEND: None, Null.OMIT: _OMITTED, Null.EMPTY: ""}[field.null]

    def make(value: Any) -> Any:
        found = None if value is None else (normal(value) if not prehashed else _prehashed(value))
        if found is None:
            if field.required:
                raise ValueError("is empty, and the tool requires it")
            return absent
        if longest is not None and len(str(found)) > longest:
            raise ValueError(f"has {len(str(found)):,} characters, and the tool takes {longest:,}")
        return _hash(str(found)) if hashed else found

    return make


def _hash(value: str) -> str:
    if _HASH.fullmatch(value):
        raise ValueError("looks hashed already; name it in `prehashed`, so that it is not hashed twice")
    return sha256(value.encode()).hexdigest()


def _prehashed(value: Any) -> str:
    found = str(value).strip().lower()
    if not _HASH.fullmatch(found):
        raise ValueError("is no SHA-256 in hex, although `prehashed` says so")
    return found


def _reason(error: Exception) -> str:
    """Return our own words; those of Python may quote the value, which may be a person's."""
    text = str(error)
    return text if text.startswith(("is ", "has ", "looks ")) else "cannot be read"


def removal(key: str, idents: Fields, version: str, remote_id: str | None) -> Member:
    """Return someone who leaves: the identifiers as they were sent."""
    return Member(key, Op.REMOVE, idents, version, remote_id)
