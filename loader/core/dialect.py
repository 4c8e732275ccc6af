"""Dialect: the facts about a warehouse's SQL that planning and statements need. Data, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass

from loader.core.types import ColumnType


@dataclass(frozen=True, slots=True)
class Dialect:
    """One warehouse's SQL, as far as it differs."""

    name: str
    types: Mapping[ColumnType, str]  # how each type is spelled in CREATE and ALTER
    quote: str  # around identifiers; doubled inside them
    transactional_ddl: bool


def quoted(dialect: Dialect, *names: str) -> str:
    """Return an identifier, or a qualified one, in quotes: no name is a reserved word then."""
    mark = dialect.quote
    return ".".join(mark + name.replace(mark, mark * 2) + mark for name in names)


def literal(text: str) -> str:
    """Return a string as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
