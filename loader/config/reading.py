"""From parsed TOML to records, with errors that name the table, the key, what was found and what was meant."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

from loader.config.values import Duration, Frequency, Share, Size
from loader.core.settings import Record, Secret
from loader.errors import ConfigError

R = TypeVar("R", bound=Record)

_WORDS = {"int": "a whole number", "bool": "true or false", "str": "a string", "list": "a list", "dict": "a table"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the file we are, and what `env:` means there."""

    file: str
    tables: tuple[str, ...]
    environment: Mapping[str, str]

    def inside(self, name: str) -> "Place":
        """Return the place of a table within this one."""
        return Place(self.file, (*self.tables, name), self.environment)

    def error(self, key: str, problem: str) -> ConfigError:
        """Return the error to raise about a key here; "" speaks of the whole table."""
        table = f"[{'.'.join(self.tables)}]" if self.tables else "top level"
        return ConfigError(f"{self.file}: {table}{' ' * bool(key)}{key}: {problem}")


def table(written: Any, place: Place, allowed: Iterable[str] | None) -> dict[str, Any]:
    """Return what is written if it is a table that has no keys but the allowed ones; None allows any."""
    if not isinstance(written, dict):
        raise place.error("", f"expected a table, found {_found(written)}")
    for key in written if allowed is not None else ():
        if key not in (known := sorted(allowed or ())):
            raise place.error(key, f"no such setting{nearest(key, known)}; allowed are {', '.join(known)}")
    return written


def record(written: Any, kind: type[R], place: Place) -> R:
    """Return the record that a table spells, inner tables included. Raises ConfigError."""
    known = {field.name: field for field in fields(kind)}
    values = {key: _value(value, known[key], place) for key, value in table(written, place, known).items()}
    for field in known.values():
        if field.required and field.name not in values:
            raise place.error(field.name, "is missing; set it")
    return kind(**values)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a question for the known word that looks most like this one, or nothing."""
    found = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _value(written: Any, field: FieldInfo, place: Place) -> Any:
    kind = _kind(field.type)
    if isinstance(kind, type) and issubclass(kind, Record):
        return record(written, kind, place.inside(field.name))
    if get_origin(kind) is Literal and isinstance(written, str) and written not in get_args(kind):
        words = ", ".join(map(repr, get_args(kind)))
        raise place.error(field.name, f"found {written!r}{nearest(written, get_args(kind))}; expected one of {words}")
    try:
        if kind is Secret:
            return Secret.read(written, place.environment)
        if kind in (Duration, Frequency, Share, Size):
            return kind.read(written)
        return msgspec.convert(written, kind)
    except msgspec.ValidationError as error:
        raise place.error(field.name, f"expected {_expected(kind, error)}, found {_found(written)}") from error
    except ValueError as error:
        raise place.error(field.name, str(error)) from error


def _expected(kind: Any, error: msgspec.ValidationError) -> str:
    if get_origin(kind) is tuple:
        return "a list of strings"
    text = str(error).partition(", got ")[0].removeprefix("Expected ")  # "`int` >= 1"
    return re.sub(r"`(\w+)`", lambda name: _WORDS.get(name[1], name[1]), text)


def _found(written: Any) -> str:
    """Return what was found; of a text its kind only, for it may be a secret in the wrong place."""
    return _WORDS[type(written).__name__] if isinstance(written, str | list | dict) else str(written).lower()


def _kind(declared: Any) -> Any:
    """Return the type without `None`, which TOML cannot write."""
    if get_origin(declared) in (Union, UnionType):
        return next(kind for kind in get_args(declared) if kind is not type(None))
    return declared
