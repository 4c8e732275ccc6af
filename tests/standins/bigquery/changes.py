"""DDL: what it changes in the catalogue, and what BigQuery refuses to change.

Source: cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language, read 2026-11: an ALTER may add
several columns; a type changes only to one that holds every value (INT64 to NUMERIC, BIGNUMERIC or FLOAT64, NUMERIC to
BIGNUMERIC or FLOAT64); partitioning and clustering are decided when the table is made. Descriptions have at most 1,024
characters of a column (/reference/rest/v2/tables#TableFieldSchema), and 16,384 of a table (/quotas#table_limits).
"""

import re
from typing import Any

from sqlglot import exp

from standins.bigquery.catalog import Catalog, Name, named
from standins.bigquery.dialect import invalid, parsed, translated
from standins.bigquery.fields import Field, column_ddl, kind, of_duckdb
from standins.bigquery.work import Work

_WIDENS = {
    **dict.fromkeys((("INT64", "NUMERIC"), ("INT64", "BIGNUMERIC"), ("INT64", "FLOAT64")), True),
    **dict.fromkeys((("NUMERIC", "BIGNUMERIC"), ("NUMERIC", "FLOAT64")), True),
}
MAX_COLUMN, MAX_TABLE = 1_024, 16_384
_OPTIONS = re.compile(
    r"ALTER TABLE\s+(?:IF EXISTS\s+)?(?P<table>[\w`.-]+)\s+(?:ALTER COLUMN\s+`?(?P<column>\w+)`?\s+)?SET OPTIONS\s*"
    r"\(\s*description\s*=\s*(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|NULL)\s*\)\s*$",
    re.IGNORECASE | re.DOTALL,
)


def check_description(text: str, limit: int) -> str:
    """Return a description, unless it is too long."""
    if len(text) > limit:
        raise invalid(f"The description is too long: {len(text)} characters, at most {limit} are allowed")
    return text


def target(statement: exp.Expr) -> exp.Table | None:
    """Return the table that a statement makes, drops or alters."""
    if not isinstance(statement, exp.Create | exp.Drop | exp.Alter):
        return None
    dropped = statement.args.get("tables") or [statement.this]
    found = dropped[0].this if isinstance(dropped[0], exp.Schema) else dropped[0]
    return found if isinstance(found, exp.Table) else None


def is_temporary(statement: exp.Expr, work: Work) -> bool:
    """Return whether a statement is about a temporary table."""
    table = target(statement)
    if isinstance(statement, exp.Create) and any(statement.find_all(exp.TemporaryProperty)):
        return True
    return table is not None and not table.db and table.name in work.temporary


def note_temporary(statement: exp.Expr, work: Work) -> None:
    """Remember or forget a temporary table."""
    table = target(statement)
    if table is not None:
        (work.temporary.discard if isinstance(statement, exp.Drop) else work.temporary.add)(table.name)


def change(catalog: Catalog, work: Work, statement: exp.Expr) -> None:
    """Carry out a change of something permanent."""
    table = target(statement)
    assert table is not None
    word = str(statement.args.get("kind") or "TABLE").upper()
    if word == "SCHEMA":
        _schema(catalog, statement, table.name or table.db)
        return
    name = (table.db, table.name)
    match statement:
        case exp.Create() if word == "VIEW":
            _view(catalog, work, statement, name)
        case exp.Create():
            _create(catalog, work, statement, name)
        case exp.Drop():
            if name in catalog.tables or not statement.args.get("exists"):
                catalog.table(name)
                catalog.drop(name)
        case exp.Alter():
            catalog.table(name)
            catalog.count_update(name)
            for action in statement.args["actions"]:
                _alter(catalog, name, action)
            catalog.touch(name)


def _schema(catalog: Catalog, statement: exp.Expr, name: str) -> None:
    if isinstance(statement, exp.Drop):
        if name in catalog.datasets or not statement.args.get("exists"):
            catalog.drop_dataset(name, contents=bool(statement.args.get("cascade")))
    elif name not in catalog.datasets or not statement.args.get("exists"):
        catalog.create_dataset(name, {})


def _view(catalog: Catalog, work: Work, statement: exp.Create, name: Name) -> None:
    described = work.cursor.execute(f"DESCRIBE {translated(statement.expression)}").fetchall()
    fields = [of_duckdb(each[0], each[1]) for each in described]
    if name in catalog.tables and not statement.args.get("replace"):
        raise invalid(f"Already Exists: Table {name[0]}.{name[1]}")
    catalog.create_view(name, statement.expression.sql("bigquery"), fields, translated(statement.expression))


def _create(catalog: Catalog, work: Work, statement: exp.Create, name: Name) -> None:
    if name in catalog.tables:
        if statement.args.get("exists"):
            return
        if statement.args.get("replace"):
            catalog.drop(name)
    how = _layout(statement)
    if isinstance(statement.this, exp.Schema):
        catalog.create(name, [_field(each) for each in statement.this.expressions], **how)
    else:
        described = work.cursor.execute(f"DESCRIBE {translated(statement.expression)}").fetchall()
        catalog.create(name, [of_duckdb(each[0], each[1]) for each in described], **how)
    if statement.expression is not None and isinstance(statement.expression, exp.Query):
        work.cursor.execute(f"INSERT INTO {named(name)} {translated(statement.expression)}")


def _field(column: exp.Expr) -> Field:
    assert isinstance(column, exp.ColumnDef)
    spelled = column.args["kind"].sql("bigquery").upper()
    required = any(isinstance(each.kind, exp.NotNullColumnConstraint) for each in column.constraints)
    made = {"name": column.name, "type": spelled, "mode": "REQUIRED" if required else "NULLABLE"}
    for each in column.find_all(exp.Property):
        if each.name.lower() != "description":
            raise invalid(f"Unknown option: {each.name}")
        made["description"] = check_description(each.args["value"].name, MAX_COLUMN)
    return made


def _layout(statement: exp.Create) -> dict[str, Any]:
    """Return partitioning, clustering, expiry and description as a resource has them."""
    how: dict[str, Any] = {}
    for each in statement.args["properties"].expressions if statement.args.get("properties") else []:
        match each:
            case exp.PartitionedByProperty():
                column = each.this.find(exp.Column) or each.this.find(exp.Identifier)
                how["timePartitioning"] = {"type": "DAY", "field": column.name}
            case exp.Cluster() | exp.ClusterProperty():
                how["clustering"] = {"fields": [column.name for column in each.expressions]}
            case exp.Property() if each.name.lower() == "description":
                how["description"] = check_description(each.args["value"].name, MAX_TABLE)
            case exp.Property() if each.name.lower() == "require_partition_filter":
                how["requirePartitionFilter"] = True
    return how


def _alter(catalog: Catalog, name: Name, action: exp.Expr) -> None:
    fields = catalog.fields(name)
    known = {each["name"].lower(): each for each in fields}
    match action:
        case exp.ColumnDef():
            made = _field(action)
            if made["name"].lower() not in known:
                catalog.apply(name, [*fields, made])
            elif not action.args.get("exists"):
                raise invalid(f"Column already exists: {made['name']}")
        case exp.AlterColumn():
            _retype(catalog, name, _known(known, action.name), action.args["dtype"].sql("bigquery").upper())
        case exp.RenameColumn():
            old, new = _known(known, action.this.name), action.args["to"].name
            if new.lower() in known:
                raise invalid(f"Column already exists: {new}")
            catalog.root.execute(f'ALTER TABLE {named(name)} RENAME COLUMN "{old["name"]}" TO "{new}"')
            old["name"] = new
        case exp.Drop():
            dropped = action.args.get("tables") or [action.this]
            old = _known(known, dropped[0].name)
            catalog.root.execute(f'ALTER TABLE {named(name)} DROP COLUMN "{old["name"]}"')
            fields.remove(old)
        case exp.AlterSet():
            options = {each.name.lower(): each.args["value"].name for each in action.find_all(exp.Property)}
            if options.keys() != {"description"}:
                raise invalid(f"Statement not supported: ALTER TABLE {action.sql('bigquery')}")
            catalog.tables[name]["description"] = check_description(options["description"], MAX_TABLE)
        case _:
            raise invalid(f"Statement not supported: ALTER TABLE {action.sql('bigquery')}")


def _known(known: dict[str, Field], column: str) -> Field:
    if column.lower() not in known:
        raise invalid(f"Column not found: {column}")
    return known[column.lower()]


def _retype(catalog: Catalog, name: Name, column: Field, new: str) -> None:
    old = kind(column)
    if old != new and (old, new) not in _WIDENS:
        raise invalid(
            f"ALTER TABLE ALTER COLUMN SET DATA TYPE requires that the existing column type ({old}) is assignable to "
            f"the new type ({new})"
        )
    column["type"] = new
    catalog.root.execute(f'ALTER TABLE {named(name)} ALTER "{column["name"]}" TYPE {column_ddl(column)}')


def set_options(catalog: Catalog, text: str, dataset: str | None) -> None:
    """Set the description of a table or a column."""
    found = _OPTIONS.match(text)
    if found is None:
        raise invalid(f"Statement not supported: {text[:60]}")
    parts = found["table"].replace("`", "").split(".")
    name = (parts[-2] if len(parts) > 1 else dataset or "", parts[-1])
    catalog.table(name)
    catalog.count_update(name)
    [written] = parsed(f"SELECT {found['text']}")
    description = written.expressions[0].name
    if found["column"]:
        known = {each["name"].lower(): each for each in catalog.fields(name)}
        _known(known, found["column"])["description"] = check_description(description, MAX_COLUMN)
    else:
        catalog.tables[name]["description"] = check_description(description, MAX_TABLE)
    catalog.touch(name)
