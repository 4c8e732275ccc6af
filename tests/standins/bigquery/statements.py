"""Statements of GoogleSQL, run: queries and DML through DuckDB, DDL through the catalogue."""

from dataclasses import dataclass, field
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from standins.bigquery import changes, information
from standins.bigquery.answers import RefusalError
from standins.bigquery.catalog import PROJECT, Name
from standins.bigquery.dialect import bound, given_rows, invalid, parsed, positioned, translated
from standins.bigquery.fields import Field, kind, of_duckdb
from standins.bigquery.work import Engine, Work

MAX_PARTITIONS = 4000  # that one job may write to
# What an INSERT's query may give a column without a cast.
_COERCED = {("INT64", "FLOAT64"), ("INT64", "NUMERIC"), ("NUMERIC", "FLOAT64"), ("DATE", "DATETIME")}


@dataclass
class Result:
    """What a script's last statement answered, and what all of them cost."""

    type: str = "SCRIPT"
    fields: list[Field] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    affected: int | None = None
    scanned_bytes: int = 0


@dataclass(frozen=True)
class Asked:
    """How a query was asked."""

    dataset: str | None
    parameters: list[dict[str, Any]]
    jobs: list[dict[str, Any]]  # for INFORMATION_SCHEMA


def run(engine: Engine, work: Work, sql: str, asked: Asked) -> Result:
    """Run a query or a script; a statement that fails ends it, and rolls its transaction back."""
    if sql.lstrip().upper().startswith("CALL BQ.ABORT_SESSION"):
        engine.abort(sql.partition("(")[2].rpartition(")")[0].strip().strip("'\"") or str(work.session_id))
        return Result("CALL")
    text, parameters = positioned(sql, asked.parameters)
    result = Result()
    statements = parsed(text)
    try:
        for statement in statements:
            scanned = result.scanned_bytes
            result = _one(engine, work, statement, Asked(asked.dataset, parameters, asked.jobs))
            result.scanned_bytes += scanned
    except RefusalError:
        engine.rollback(work)
        raise
    if len(statements) > 1:
        result.type = "SCRIPT"
    return result


def _one(engine: Engine, work: Work, statement: exp.Expr, asked: Asked) -> Result:
    match statement:
        case exp.Transaction():
            engine.begin(work)
            return Result("BEGIN_TRANSACTION")
        case exp.Commit():
            engine.commit(work)
            return Result("COMMIT_TRANSACTION")
        case exp.Rollback():
            engine.rollback(work)
            return Result("ROLLBACK_TRANSACTION")
        case exp.Command():
            return _command(engine, statement, asked)
    _give_rows(work, statement, asked.parameters)
    tables = _resolved(engine, work, statement, asked)
    statement = bound(statement, asked.parameters)
    if isinstance(statement, exp.Create | exp.Drop | exp.Alter):
        return _changed(engine, work, statement)
    result = Result(scanned_bytes=_scanned(engine, statement, tables))
    match statement:
        case exp.Insert():
            return _inserted(engine, work, statement, result)
        case exp.Update() | exp.Delete() | exp.Merge() | exp.TruncateTable():
            return _mutated(engine, work, statement, result)
        case _:
            return _selected(work, statement, result)


def _give_rows(work: Work, statement: exp.Expr, parameters: list[dict[str, Any]]) -> None:
    """Put tables in the place of arrays of structs: as text, thousands of rows would take DuckDB seconds."""
    known = {each["name"]: each for each in parameters}
    for unnest in list(statement.find_all(exp.Unnest)):
        name = unnest.expressions[0].name if isinstance(unnest.expressions[0], exp.Parameter) else ""
        given = given_rows(known[name]) if name in known else None
        if given:
            rows, listed = given
            work.cursor.register(f"given_{name}", rows)
            query = sqlglot.parse_one(f'SELECT {listed} FROM "given_{name}"', read="duckdb")
            alias = unnest.alias or next(iter(unnest.alias_column_names), "given")
            unnest.replace(exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(alias))))


def _command(engine: Engine, statement: exp.Command, asked: Asked) -> Result:
    text = statement.sql("bigquery")
    if text.upper().startswith("ALTER"):
        changes.set_options(engine.catalog, text, asked.dataset)
        return Result("ALTER_TABLE")
    raise invalid(f"Statement not supported: {text.split()[0]}")


def _resolved(engine: Engine, work: Work, statement: exp.Expr, asked: Asked) -> list[Name]:
    """Give each table the name that DuckDB knows; return those of the catalogue that are there."""
    found: list[Name] = []
    names = {each.alias for each in statement.find_all(exp.CTE)}
    made = changes.target(statement)
    for table in list(statement.find_all(exp.Table)):
        if isinstance(table.this, exp.Func) or (not table.db and table.name in names) or not table.name:
            continue
        if not table.db and (table.name in work.temporary or table.name.startswith("given_")):
            continue
        if "INFORMATION_SCHEMA" in table.name.upper() or table.db.upper() == "INFORMATION_SCHEMA":
            information.provide(engine.catalog, work, table, asked.jobs)
            continue
        name = (table.db or asked.dataset or "", table.name)
        if not name[0]:
            if table is made:
                continue
            raise invalid(f'Table "{table.name}" must be qualified with a dataset (e.g. dataset.table).')
        if table.catalog not in ("", PROJECT):
            raise RefusalError(403, "accessDenied", f"Access Denied: Project {table.catalog}: no permission")
        if table is not made:
            engine.catalog.table(name)
            found.append(name)
        table.set("catalog", None)
        table.set("db", exp.to_identifier(name[0], quoted=True))
        table.set("this", exp.to_identifier(name[1], quoted=True))
    return found


def _changed(engine: Engine, work: Work, statement: exp.Expr) -> Result:
    temporary = changes.is_temporary(statement, work)
    if work.began is not None and not temporary:
        raise invalid("DDL statements that affect permanent entities are not supported inside a transaction")
    if temporary:
        _count(work, translated(statement))
        changes.note_temporary(statement, work)
    else:
        changes.change(engine.catalog, work, statement)
    return Result(f"{statement.key.upper()}_{str(statement.args.get('kind') or 'TABLE').upper()}")


def _selected(work: Work, statement: exp.Expr, result: Result) -> Result:
    _execute(work, translated(statement))
    result.type = "SELECT"
    result.fields = [of_duckdb(each[0], str(each[1])) for each in work.cursor.description or []]
    result.rows = work.cursor.fetchall()
    return result


def _inserted(engine: Engine, work: Work, statement: exp.Insert, result: Result) -> Result:
    where = statement.this if isinstance(statement.this, exp.Schema) else None
    table = where.this if where else statement.this
    name = (table.db, table.name)
    query = statement.expression
    if table.db:
        fields = engine.catalog.fields(name)
        known = {each["name"].lower(): each for each in fields}
        listed = [each.name for each in where.expressions] if where else [each["name"] for each in fields]
        unknown = [each for each in listed if each.lower() not in known]
        if unknown:
            raise invalid(f"Column {unknown[0]} is not present in table {PROJECT}.{table.db}.{table.name}")
        sql = translated(query) if query is not None else ""
        _check_stored(work, query, sql, [known[each.lower()] for each in listed])
        _check_partitions(engine, work, name, listed, sql)
    result.type, result.affected = "INSERT", _count(work, translated(statement))
    return result


def _mutated(engine: Engine, work: Work, statement: exp.Expr, result: Result) -> Result:
    table = statement.this if not isinstance(statement, exp.TruncateTable) else statement.expressions[0]
    if isinstance(table, exp.Table) and table.db:
        engine.mutate(work, (table.db, table.name))
    if isinstance(statement, exp.Merge):
        _check_one_match(work, statement)
    result.type, result.affected = statement.key.upper(), _count(work, translated(statement))
    return result


def _check_stored(work: Work, query: exp.Expr, sql: str, fields: list[Field]) -> None:
    """Refuse a query whose columns are of other types than those that they are stored in."""
    described = work.cursor.execute(f"DESCRIBE {sql}").fetchall() if sql else []
    if len(described) != len(fields):
        raise invalid(f"Inserted row has wrong column count; Has {len(described)}, expected {len(fields)}")
    literals = _literals(query)
    for number, (given, wanted) in enumerate(zip(described, fields, strict=True)):
        found, stored = of_duckdb("", given[1])["type"], kind(wanted)
        same = found == stored or (found, stored) in _COERCED or given[1] in ('"NULL"', "NULL")
        if not same and number not in literals:
            message = f"Query column {number + 1} has type {found} which cannot be inserted into column "
            raise invalid(f"{message}{wanted['name']}, which has type {stored}")


def _literals(query: exp.Expr) -> set[int]:
    """Return the columns that are literals: GoogleSQL makes dates and times of strings there."""
    selects = list(query.find_all(exp.Select))[:1] if isinstance(query, exp.Query) else []
    return {
        number
        for select in selects
        for number, each in enumerate(select.expressions)
        if isinstance(each.unalias(), exp.Literal) and each.unalias().is_string
    } | ({*range(10_000)} if isinstance(query, exp.Values) else set())


def _check_partitions(engine: Engine, work: Work, name: Name, listed: list[str], sql: str) -> None:
    column = engine.catalog.tables[name].get("timePartitioning", {}).get("field")
    places = [number for number, each in enumerate(listed) if column and each.lower() == column.lower()]
    if not places:
        return
    names = ", ".join(f"c{number}" for number in range(len(listed)))
    days = f"SELECT count(DISTINCT CAST(c{places[0]} AS DATE)) FROM ({sql}) AS given({names})"
    found = _count(work, days)
    if found > MAX_PARTITIONS:
        raise too_many_partitions(found)


def too_many_partitions(found: int) -> RefusalError:
    """Return the refusal of a job that writes to too many partitions."""
    message = (
        f"Too many partitions produced by query, allowed {MAX_PARTITIONS}, query produces at least {found} partitions"
    )
    return RefusalError(403, "quotaExceeded", message)


def _check_one_match(work: Work, merge: exp.Merge) -> None:
    if not any(each.args.get("matched") for each in merge.args["whens"].expressions):
        return
    target, using, on = merge.this, merge.args["using"], merge.args["on"]
    alias = target.alias_or_name
    inner = f'SELECT rowid AS place, * FROM "{target.db}"."{target.name}"'
    joined = f'({inner}) AS "{alias}" JOIN {translated(using)} ON {translated(on)}'
    if (
        _count(work, f'SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM {joined} GROUP BY "{alias}".place)')
        > 1
    ):
        raise invalid("UPDATE/MERGE must match at most one source row for each target row")


def _scanned(engine: Engine, statement: exp.Expr, tables: list[Name]) -> int:
    """Return the bytes that a statement reads: of a partitioned table, only the days that constants leave."""
    return sum(information.scanned(engine.catalog, statement, each) for each in tables)


def _count(work: Work, sql: str) -> int:
    _execute(work, sql)
    found = work.cursor.fetchall()  # a result that is not read to its end keeps the connection busy
    return int(found[0][0]) if found else 0


def _execute(work: Work, sql: str) -> None:
    try:
        work.cursor.execute(sql)
    except duckdb.TransactionException as error:
        raise invalid(f"Transaction is aborted due to concurrent update against table: {error}") from error
    except duckdb.Error as error:
        raise invalid(str(error).splitlines()[0]) from error
