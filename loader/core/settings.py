"""Settings as values: closed records, and secrets that no text shows."""

from collections.abc import Mapping
from typing import Self

from msgspec import Struct

_ENVIRONMENT = "env:"


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every settings table: immutable, and a misspelt key is an error."""


class Secret:
    """A value that no text shows: `reveal` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def reveal(self) -> str:
        """Return the value, for the call that needs it and nothing else."""
        return self._value

    @classmethod
    def read(cls, written: object, environment: Mapping[str, str]) -> Self:
        """Return the secret written, or that of the variable that `env:NAME` names. Raises ValueError."""
        if not isinstance(written, str):
            raise ValueError("is no text; write `env:NAME` for the environment variable that holds it")
        if not written.startswith(_ENVIRONMENT):
            return cls(written)
        name = written.removeprefix(_ENVIRONMENT)
        try:
            found = environment[name]
        except KeyError:
            found = ""
        if not found:
            raise ValueError(f"the environment variable {name!r} is not set; export it, then run again")
        return cls(found)
