"""Names in SQL: unquoted ones fold to upper case, quoted ones stay; a table's full name is database, schema, table."""

import re

from standins.snowflake.service.refusals import RefusedError

PATH = r'(?:"(?:[^"]|"")+"|[\w$%~]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$%]+))*'
_PIECE = re.compile(r'"((?:[^"]|"")+)"|([\w$%~]+)')
Name = tuple[str, str, str]


def full(written: str, database: str | None, schema: str | None) -> Name:
    """Return database, schema and name of what is written, with the session's where it says none.

    A table's stage is written `%name`, the `%` before the table's own name.
    """
    found = [quoted.replace('""', '"') if quoted else plain.upper() for quoted, plain in _PIECE.findall(written)]
    parts = (database, schema)[: 3 - len(found)] + tuple(found)
    if len(parts) != 3 or None in parts:
        raise RefusedError(
            90105, "22000", f"Cannot find {written}: this session does not have a current database or schema."
        )
    return (str(parts[0]), str(parts[1]), str(parts[2]))


def sql(name: Name) -> str:
    """Return a name as the engine reads it."""
    return ".".join('"' + each.replace('"', '""') + '"' for each in name)
