"""What a source's settings ask of its events: limits, evolution, and which events and properties to take."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Literal

from loader.core.schema import Tables

Evolve = Literal["evolve", "freeze", "discard"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Name patterns (`*` and `?`; case matters): everything included, but for what is excluded."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, names: Sequence[str]) -> bool:
        """Return whether something is taken that has all these names: its own, and those of what it lies in."""
        if any(_matches(name, pattern) for pattern in self.exclude for name in names):
            return False
        return not self.include or any(_matches(name, pattern) for pattern in self.include for name in names)


@dataclass(frozen=True, slots=True)
class Policy:
    """How the events of a source become rows."""

    evolve: Evolve = "evolve"
    max_depth: int = 5
    max_columns: int = 1000
    max_line_bytes: int = 8 << 20
    max_text_bytes: int = 0  # of a value, where the warehouse has such limits; 0: it has none
    max_json_bytes: int = 0
    respells: bool = False  # the warehouse spells doubles as texts otherwise: those that become text are shredded again
    dedupe_window: timedelta = timedelta(days=7)
    events: Selection = field(default_factory=Selection)
    properties: Selection = field(default_factory=Selection)

    def takes_path(self, path: Sequence[str]) -> bool:
        """Return whether the value at a path below `context`, `properties` or `traits` is taken."""
        if not self.properties.include and not self.properties.exclude:
            return True
        return self.properties.takes([".".join(path[:length]) for length in range(1, len(path) + 1)])


def digest(policy: Policy) -> str:
    """Return a name of all that says what becomes of a line; which rows count as duplicates is said by the merge."""
    return hashlib.sha256(repr(replace(policy, dedupe_window=timedelta())).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Known:
    """The tables before a load; in its second round, as all shards together settled them."""

    tables: Tables = field(default_factory=dict)
    closed: frozenset[str] = frozenset()  # tables that take no further columns: the rest goes into `extra`


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))  # brackets are usual in names: "[Amplitude] Page Viewed"
