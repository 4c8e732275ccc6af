"""fakesnow, faster: it walks the tree of a statement 76 times, of which most look for what is not there.

What was walked is kept by its text, as a load's statements come again and again; and a walk that looks for a word is
left out where the statement does not have that word. What a statement becomes is the same.
"""

import threading
from collections.abc import Callable
from functools import cache
from types import CodeType
from typing import Any

from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.dialect import parse_one
from sqlglot import exp

# Walks, by how their names begin, and the word without which they find nothing.
_NEEDS = {
    "show_": "SHOW",
    "create_stage": "STAGE",
    "list_stage": "LIST",
    "put_stage": "PUT",
    "create_user": "USER",
    "create_file_format": "FORMAT",
    "sequence_": "NEXTVAL",
    "regex_": "REGEXP",
    "sample": "SAMPLE",
    "tag": "TAG",
    "random": "RANDOM",
    "hex_string": "HEX",
    "sha256": "SHA",
    "array_agg": "AGG",
    "array_size": "SIZE",
    "array_construct": "ARRAY",
    "object_": "OBJECT",
    "dateadd_": "ADD",
    "datediff_": "DIFF",
    "haversine": "HAVERSINE",
    "result_scan": "SCAN",
    "values_columns": "VALUES",
    "split": "SPLIT",
    "create_clone": "CLONE",
    "flatten": "FLATTEN",
    "to_date": "DATE",
    "to_decimal": "TO_",
    "to_timestamp": "TO_TIMESTAMP",
    "current_version": "VERSION",
    "set_schema": "USE",
    "create_database": "DATABASE",
    "information_schema": "SCHEMA",
    "drop_schema": "DROP",
    "alter_session": "SESSION",
    "alter_table_strip": "ALTER",
    "extract_comment": "COMMENT",
    "to_variant": "VARIANT",
    "try_parse_json": "TRY_PARSE_JSON",
    "extract_text_length": "TABLE",
    "float_to_double": "FLOAT",
    "create_table_as": "CREATE",
    "timestamp_offsets": "TIMESTAMP",
    "indices_to_json": "[",
}
_PLAIN = (exp.Select, exp.Union, exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Alter, exp.Drop)
_MOST = 5_000  # statements kept
_walk: Callable[..., Any] = exp.Expression.transform
_said = threading.local()  # the statement that is walked, in upper case
_kept: dict[tuple[str, str | None, str | None], list[Any]] = {}


def run(cursor: FakeSnowflakeCursor, sql: str, values: list[Any]) -> None:
    """Do what `cursor.execute` does."""
    key = (sql, cursor._conn.database, cursor._conn.schema)
    if "identifier(" in sql.lower():  # a name among the values
        cursor.execute(sql, binding_params=values or None, server=True)
        return
    if key not in _kept:
        if len(_kept) > _MOST:
            _kept.clear()
        _said.sql = sql.upper()
        parsed = parse_one(sql)
        cursor.check_db_and_schema(parsed)
        _kept[key] = [cursor._transform(each, None) for each in cursor._transform_explode(parsed)]
    for each in _kept[key]:
        cursor._execute(each.copy(), values if each.find(exp.Placeholder) else None)


def _walked(self: Any, fun: Any, *args: object, copy: bool = True, **kwargs: object) -> Any:
    said = getattr(_said, "sql", None)
    if said is not None and not copy and isinstance(self, _PLAIN):
        needed = _words(fun.__code__)
        if needed and not any(word in said for word in needed):
            return self
    return _walk(self, fun, *args, copy=copy, **kwargs)


@cache
def _words(code: CodeType) -> frozenset[str]:
    """Return the words of which a statement must have one for a walk; none: it may find something in any."""
    names = code.co_names if code.co_name == "<lambda>" else (code.co_name,)
    return frozenset(word for name in names for start, word in _NEEDS.items() if name.startswith(start))


exp.Expression.transform = _walked  # type: ignore[method-assign, unused-ignore]  # sqlglot may be installed or not
