"""What statements cost in a warehouse: as it tells with its answers, as we measure, as its history tells later."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Cost:
    """What statements cost in the warehouse, as far as it tells; None where it does not."""

    statements: int = 0
    scanned_bytes: int | None = None
    server_seconds: float | None = None
    # Statements of which the warehouse's history has more: its name for each, and the seconds that the answer took.
    marks: tuple[tuple[str, float], ...] = ()

    def plus(self, other: "Cost") -> "Cost":
        return Cost(
            self.statements + other.statements,
            _sum(self.scanned_bytes, other.scanned_bytes),
            _sum(self.server_seconds, other.server_seconds),
            self.marks + other.marks,
        )

    def minus(self, other: "Cost") -> "Cost":
        """Return what came since `other`, an earlier reading of the same."""
        before = Cost(-other.statements, _minus(other.scanned_bytes), _minus(other.server_seconds))
        return replace(self.plus(before), marks=self.marks[len(other.marks) :])

    def told(self, history: Mapping[str, "Cost"]) -> "Cost":
        """Return the cost with what a history says, by mark, in place of what we measured; no marks are left.

        >>> Cost(2, None, 3.0, (("a", 1.0), ("b", 2.0))).told({"b": Cost(1, 700, 1.5)})
        Cost(statements=2, scanned_bytes=700, server_seconds=2.5, marks=())
        """
        pairs = [(history[mark], seconds) for mark, seconds in self.marks if mark in history]
        said = reduce(Cost.plus, (each for each, _ in pairs), Cost())
        measured = Cost(0, None, -sum(seconds for _, seconds in pairs)) if pairs else Cost()
        return replace(self.plus(said).plus(measured), statements=self.statements, marks=())


NO_COST = Cost()
N = TypeVar("N", int, float)


def _sum(one: N | None, other: N | None) -> N | None:
    return other if one is None else (one if other is None else one + other)


def _minus(value: N | None) -> N | None:
    return None if value is None else -value
