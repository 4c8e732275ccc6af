"""fakesnow, faster: it walks the tree of a statement 76 times, of which most look for what is not there.

What was walked is kept by its text, as a load's statements come again and again; and walks that look for SHOW, stages
or users are left out where the statement is none of these. What a statement becomes is the same.
"""

from collections.abc import Callable
from typing import Any

from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.dialect import parse_one
from sqlglot import exp

_LOOK_ELSEWHERE = ("show_", "create_stage", "create_file_format", "list_stage", "put_stage", "create_user", "sequence_")
_PLAIN = (exp.Select, exp.Union, exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Alter, exp.Drop)
_MOST = 5_000  # statements kept
_walk: Callable[..., Any] = exp.Expression.transform
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
        parsed = parse_one(sql)
        cursor.check_db_and_schema(parsed)
        _kept[key] = [cursor._transform(each, None) for each in cursor._transform_explode(parsed)]
    for each in _kept[key]:
        cursor._execute(each.copy(), values if each.find(exp.Placeholder) else None)


def _walked(self: Any, fun: Any, *args: object, copy: bool = True, **kwargs: object) -> Any:
    names = (fun.__name__, *fun.__code__.co_names) if hasattr(fun, "__code__") else ()
    if not copy and isinstance(self, _PLAIN) and any(name.startswith(_LOOK_ELSEWHERE) for name in names):
        return self
    return _walk(self, fun, *args, copy=copy, **kwargs)


exp.Expression.transform = _walked  # type: ignore[method-assign, unused-ignore]  # sqlglot may be installed or not
