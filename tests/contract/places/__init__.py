"""Warehouses to test: one module each, with `serve()`, found by its name.

To add one, write `tests/contract/places/<kind>.py`. Nothing else needs to know of it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules


@dataclass(frozen=True, slots=True)
class Place:
    """A warehouse's server, and how to use it: every test gets an empty warehouse on it."""

    kind: str
    fresh: Callable[[], str]  # makes an empty warehouse; returns the lines of [warehouse]
    # The same for a user who may read and write what is there, and make nothing; None where there are no users.
    denied: Callable[[], str] | None = None
    staging: Callable[[], str] = str  # makes a new place for parts, unless a folder will do; returns lines of [staging]
    environment: dict[str, str] = field(default_factory=dict)  # secrets that the settings name


KINDS = sorted(each.name for each in iter_modules(__path__))


def serve(kind: str) -> AbstractContextManager[Place]:
    """Return the place of a kind, served until the block ends."""
    found: AbstractContextManager[Place] = import_module(f"contract.places.{kind}").serve()
    return found
