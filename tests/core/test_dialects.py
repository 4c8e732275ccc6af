"""Our spelling of types and names, compared with SQLAlchemy's dialects where it has one of its own.

SQLAlchemy is not used by the library (loader/core/dialect.py says why); what it knows of a dialect is not lost for it.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, MetaData, Table, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateColumn

from loader.core.dialect import Dialect, literal, quoted
from loader.core.types import ColumnType
from loader.warehouses.postgres import DIALECT as POSTGRES

TYPES: Mapping[ColumnType, Any] = {
    ColumnType.BOOLEAN: Boolean(),
    ColumnType.INTEGER: BigInteger(),
    ColumnType.DOUBLE: Double(),
    ColumnType.TIMESTAMP: DateTime(timezone=True),
    ColumnType.STRING: Text(),
    ColumnType.JSON: postgresql.JSONB(),
}
THEIRS = {"postgres": postgresql.dialect()}  # type: ignore[no-untyped-call]  # SQLAlchemy's own
NAMES = ("plain", "select", "Mixed", 'a"quote', "user", "x#text", "ключ", "a b", "1st")
OURS = [POSTGRES]


@pytest.mark.parametrize("dialect", OURS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("kind", ColumnType)
def test_types_are_spelled_as_sqlalchemy_spells_them(dialect: Dialect, kind: ColumnType) -> None:
    column = Column("c", TYPES[kind])
    Table("t", MetaData(), column)
    theirs = str(CreateColumn(column).compile(dialect=THEIRS[dialect.name])).removeprefix("c ")
    assert dialect.types[kind] == theirs


@pytest.mark.parametrize("dialect", OURS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", NAMES)
def test_names_are_quoted_as_sqlalchemy_quotes_them(dialect: Dialect, name: str) -> None:
    assert quoted(dialect, name) == THEIRS[dialect.name].identifier_preparer.quote_identifier(name)


@pytest.mark.parametrize("dialect", OURS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("text", ["", "it's", "'' \\ %", '\n\t"`'])
def test_texts_are_written_as_sqlalchemy_writes_them(dialect: Dialect, text: str) -> None:
    processor = Text().literal_processor(THEIRS[dialect.name])  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    assert processor is not None
    assert literal(dialect, text) == processor(text).replace("%%", "%")
