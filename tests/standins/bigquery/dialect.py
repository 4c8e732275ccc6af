"""GoogleSQL → DuckDB's SQL: refused where GoogleSQL refuses it, translated by sqlglot where that is right.

Source: cloud.google.com/bigquery/docs/reference/standard-sql (lexical: reserved words; query-syntax), read 2026-11.
Types in expressions are not checked, but for what an INSERT stores.
"""

import json
import math
import re
from decimal import Decimal
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from duckdb.func import FunctionNullHandling
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from standins.bigquery.answers import RefusalError, refused

_WORDS = (
    "all and any array as asc assert_rows_modified at between by case cast collate contains create cross cube "
    "current default define desc distinct else end enum escape except exclude exists extract false fetch "
    "following for from full group grouping groups hash having if ignore in inner intersect interval into is join "
    "lateral left like limit lookup merge natural new no not null nulls of on or order outer over partition "
    "preceding proto qualify range recursive respect right rollup rows select set some struct tablesample then to "
    "treat true unbounded union unnest using when where window with within "
)
RESERVED = frozenset(_WORDS.split())
_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}


def parsed(sql: str) -> list[exp.Expr]:
    """Return the statements of a script; what GoogleSQL does not know is refused."""
    try:
        found = [each for each in sqlglot.parse(sql, read="bigquery") if each is not None]
    except sqlglot.errors.SqlglotError as error:
        raise invalid(f"Syntax error: {str(error).splitlines()[0]}") from error
    for statement in found:
        _check(statement)
    return found


def invalid(message: str) -> RefusalError:
    """Return the refusal of a query."""
    return refused(message, reason="invalidQuery")


def _check(statement: exp.Expr) -> None:
    for name in statement.find_all(exp.Identifier):
        bare = not name.args.get("quoted") and name.name.lower() in RESERVED
        if bare and not (isinstance(name.parent, exp.Column) and name.parent.args.get("table")):
            raise invalid(f"Syntax error: Unexpected keyword {name.name.upper()}")
    for select in statement.find_all(exp.Select):
        if select.args.get("where") and not select.args.get("from_"):
            raise invalid("Query without FROM clause cannot have a WHERE clause")
        if any(isinstance(each, exp.Filter) for each in select.find_all(exp.Filter)):
            raise invalid('Syntax error: Expected end of input but got keyword "FILTER"')
    for column in statement.find_all(exp.Column):
        _check_name(column)
    for alias in statement.find_all(exp.TableAlias):
        if alias.args.get("columns") and not isinstance(alias.parent, exp.CTE | exp.Unnest):
            raise invalid('Syntax error: Expected end of input but got "(": a subquery has no column aliases')
    if isinstance(statement, exp.Delete | exp.Update) and not statement.args.get("where"):
        raise invalid(f"{statement.key.upper()} must have a WHERE clause")


def _check_name(column: exp.Column) -> None:
    """Refuse what BigQuery takes for a whole row: a bare name that a table in reach has, too."""
    select = column.find_ancestor(exp.Select, exp.Update, exp.Delete)
    if column.args.get("table") or not isinstance(select, exp.Select) or isinstance(column.this, exp.Star):
        return
    sources = [select.args.get("from_"), *(select.args.get("joins") or [])]
    names = {each.this.alias_or_name.lower() for each in sources if each is not None}
    if column.name.lower() in names:
        raise invalid(f"{column.name} is a row of the table of that name here, and no column")


def translated(statement: exp.Expr) -> str:
    """Return a statement in DuckDB's words; its tables are DuckDB's already, and its parameters values."""
    changed = statement.transform(_changed)
    return changed.sql("duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE, copy=False)


def _changed(node: exp.Expr) -> exp.Expr:
    match node:
        case exp.ParseJSON():
            how = node.args.get("expression")
            mode = how.expression.name if isinstance(how, exp.Kwarg) else "exact"
            return exp.func("bq_parse_json", node.this.transform(_changed), exp.Literal.string(mode))
        case exp.In() if node.args.get("unnest"):
            return exp.func("list_contains", node.args["unnest"].expressions[0], node.this)
        case exp.Bracket() if isinstance(node.this, exp.ArrayAgg | exp.IgnoreNulls):
            return _first_of(node) or node
    return node


def _first_of(node: exp.Bracket) -> exp.Expr | None:
    """Return `ARRAY_AGG(x IGNORE NULLS ORDER BY k DESC LIMIT 1)[SAFE_OFFSET(0)]` as DuckDB says it."""
    limits, order, ignored = (
        list(node.this.find_all(exp.Limit)),
        node.this.find(exp.Order),
        node.this.find(exp.IgnoreNulls),
    )
    if not (limits and order and ignored):
        return None
    value = next(each for each in _spine(node.this) if not isinstance(each, _WRAPPERS))
    key = order.expressions[0]
    name = "arg_max" if key.args.get("desc") else "arg_min"
    turn = key.this if isinstance(key, exp.Ordered) else key
    is_set = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
    return exp.Filter(this=exp.func(name, value.copy(), turn.copy()), expression=exp.Where(this=is_set))


_WRAPPERS = (exp.ArrayAgg, exp.IgnoreNulls, exp.Order, exp.Limit)


def _spine(node: exp.Expr) -> list[exp.Expr]:
    found = [node]
    while isinstance(found[-1], _WRAPPERS):
        found.append(found[-1].this)
    return found


def positioned(sql: str, parameters: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Return a query whose parameters have names: those by position are `p0`, `p1` and so on."""
    if not parameters or parameters[0].get("name"):
        return sql, parameters
    marks = [
        token.start for token in sqlglot.tokenize(sql, read="bigquery") if token.token_type is TokenType.PLACEHOLDER
    ]
    if len(marks) != len(parameters):
        raise invalid(f"Query has {len(marks)} positional parameters, and {len(parameters)} were given")
    pieces = [sql[start:end] for start, end in pairwise([0, *(mark + 1 for mark in marks), len(sql) + 1])]
    texts = [f"{piece.removesuffix('?')}@p{index}" for index, piece in enumerate(pieces[:-1])]
    return "".join((*texts, pieces[-1])), [{**each, "name": f"p{index}"} for index, each in enumerate(parameters)]


def bound(statement: exp.Expr, parameters: list[dict[str, Any]]) -> exp.Expr:
    """Return the statement with its parameters as values of their types."""
    known = {each["name"].lower(): each for each in parameters}

    def value(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Parameter):
            return node
        if node.name.lower() not in known:
            raise invalid(f"Query parameter '{node.name}' not found")
        found = known[node.name.lower()]
        return _literal(found["parameterType"], found.get("parameterValue", {}))

    return statement.transform(value, copy=False)


def given_rows(parameter: dict[str, Any]) -> tuple[pa.Table, str] | None:
    """Return an array of structs as a table of texts, and the query's columns that give them their types."""
    kind = parameter["parameterType"]
    if kind["type"] != "ARRAY" or kind["arrayType"]["type"] != "STRUCT":
        return None
    fields = [(each["name"], each["type"]["type"]) for each in kind["arrayType"]["structTypes"]]
    rows = [each["structValues"] for each in parameter["parameterValue"].get("arrayValues", [])]
    values = {name: [row.get(name, {}).get("value") for row in rows] for name, _ in fields}
    texts = {
        name: pa.array([None if each is None else str(each) for each in column], pa.string())
        for name, column in values.items()
    }
    listed = ", ".join(f'CAST("{name}" AS {_of(kind).sql("duckdb")}) AS "{name}"' for name, kind in fields)
    return pa.table(texts), listed


def _of(name: str) -> exp.DataType:
    return exp.DataType.build(_TYPES.get(name, name), dialect="bigquery")


def _literal(kind: dict[str, Any], value: dict[str, Any]) -> exp.Expr:
    name = kind["type"]
    if name == "ARRAY":
        members = [_literal(kind["arrayType"], each) for each in value.get("arrayValues", [])]
        of = exp.DataType(this=exp.DataType.Type.ARRAY, expressions=[_of(kind["arrayType"]["type"])], nested=True)
        return exp.cast(exp.Array(expressions=members), of)
    written = value.get("value")
    plain = exp.Null() if written is None else exp.Literal.string(str(written))
    return exp.cast(plain, _of(name))


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Give DuckDB the functions that it lacks."""
    nulls = FunctionNullHandling.SPECIAL
    connection.create_function("bq_parse_json", parse_json, ["VARCHAR", "VARCHAR"], "JSON", null_handling=nulls)
    connection.execute("CREATE MACRO countif(x) AS count(*) FILTER (x)")


def parse_json(text: str | None, mode: str) -> str | None:
    """Return a JSON value as BigQuery keeps it: no spaces, keys in order, the first of equal keys, rounded numbers."""
    if text is None:
        return None
    try:
        if re.search(r"(?<!\\)(\\\\)*\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])", text):
            raise ValueError("lone surrogate")
        found = json.loads(
            text,
            object_pairs_hook=_first_wins,
            parse_int=_integer(mode),
            parse_float=_fraction(mode),
            parse_constant=_no_constant,
        )
    except ValueError as error:
        raise duckdb.InvalidInputException(f"syntax error while parsing value: {error}") from error
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _integer(mode: str) -> Any:
    def read(text: str) -> int | float:
        if -(2**63) <= int(text) < 2**64:
            return int(text)
        rounded = float(text)
        if not math.isfinite(rounded) or (mode != "round" and int(rounded) != int(text)):
            raise ValueError(f"Input number: {text} cannot round-trip through string representation")
        return rounded

    return read


def _fraction(mode: str) -> Any:
    def read(text: str) -> float:
        found = float(text)
        if not math.isfinite(found) or (mode != "round" and Decimal(repr(found)) != Decimal(text)):
            raise ValueError(f"Input number: {text} cannot round-trip through string representation")
        return found

    return read
