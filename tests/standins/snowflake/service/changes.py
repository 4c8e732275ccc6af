"""What Snowflake checks in MERGE and ALTER TABLE, and the engine does not.

- a MERGE that would update or delete one row for two of the source fails (ERROR_ON_NONDETERMINISTIC_MERGE is on):
  docs.snowflake.com/en/sql-reference/sql/merge
- ALTER COLUMN … SET DATA TYPE only makes a VARCHAR longer or a NUMBER wider: …/sql/alter-table-column
- SWAP WITH exchanges two tables at once: …/sql/alter-table
"""

import re

import duckdb
import sqlglot
from sqlglot import exp

from standins.snowflake.service import names
from standins.snowflake.service.copying import MAX_CHARACTERS, columns
from standins.snowflake.service.names import PATH, Name
from standins.snowflake.service.refusals import RefusedError

SWAP = re.compile(rf"\s*alter\s+table\s+({PATH})\s+swap\s+with\s+({PATH})\s*;?\s*$", re.IGNORECASE)
_RETYPE = re.compile(
    rf"\s*alter\s+table\s+({PATH})\s+(?:alter|modify)\s+(?:column\s+)?({PATH})\s+(?:set\s+data\s+)?type\s+(.+?)\s*;?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_TYPES = {"VARCHAR": "VARCHAR", "TEXT": "VARCHAR", "STRING": "VARCHAR"}


def merge(engine: duckdb.DuckDBPyConnection, sql: str, values: list[object]) -> dict[str, int]:
    """Run a MERGE; return how many rows it inserted, updated and deleted, of what it can do.

    By the engine's own MERGE: fakesnow's makes tables, which the engine allows in no transaction.
    """
    parsed = sqlglot.parse_one(sql, read="snowflake")
    if not isinstance(parsed, exp.Merge):
        raise RefusedError(1003, "42000", "SQL compilation error: syntax error in MERGE.")
    target, using, condition = (parsed.args[part].sql(dialect="duckdb") for part in ("this", "using", "on"))
    whens = parsed.args["whens"].expressions
    if any(when.args.get("matched") for when in whens):
        twice = (
            f"SELECT 1 FROM {target} JOIN {using} ON {condition} "
            f"GROUP BY {parsed.this.alias_or_name}.rowid HAVING count(*) > 1 LIMIT 1"
        )
        if engine.execute(twice, values[: twice.count("?")]).fetchone():
            raise RefusedError(100090, "42P18", "Duplicate row detected during DML action")
    done = engine.execute(f"{parsed.sql(dialect='duckdb')} RETURNING merge_action", values).fetchall()
    kinds = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}
    possible = [word for word, kind in kinds.items() if any(kind[:6].upper() in when.sql().upper() for when in whens)]
    return {f"number of rows {kinds[word]}": sum(row[0] == word for row in done) for word in possible}


def check_alter(engine: duckdb.DuckDBPyConnection, sql: str, database: str | None, schema: str | None) -> None:
    """Raise if a column would get a type that Snowflake cannot give it in place."""
    found = _RETYPE.match(sql)
    if not found:
        return
    table, column = names.full(found[1], database, schema), names.full(found[2], "", "")[2]
    old = columns(engine, table).get(column)
    if old is None:
        raise RefusedError(904, "42000", f"SQL compilation error: invalid identifier '{column}'")
    word, _, length = found[3].upper().partition("(")
    wanted = int(re.sub(r"\D", "", length) or MAX_CHARACTERS)
    if _TYPES.get(word.strip()) != old.type or (old.type == "VARCHAR" and wanted < old.characters):
        raise RefusedError(
            2108, "22000", f"SQL compilation error: cannot change column {column} from {old.type} to {found[3]}"
        )


def swap(engine: duckdb.DuckDBPyConnection, one: Name, other: Name) -> None:
    """Exchange two tables of one schema."""
    if one[:2] != other[:2]:
        raise RefusedError(1003, "42000", "the stand-in swaps within a schema only")
    between = (*one[:2], f"{one[2]}~")
    engine.execute("BEGIN")
    for old, new in ((one, between), (other, one), (between, other)):
        engine.execute(f"ALTER TABLE {names.sql(old)} RENAME TO {names.sql(('', '', new[2])).split('.')[-1]}")
    engine.execute("COMMIT")
