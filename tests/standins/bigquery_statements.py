"""Conformance cases of statements and transactions: what BigQuery does, by its documentation."""

import json
from collections.abc import Iterator

from google.cloud import bigquery

from standins.bigquery_probe import Case, Columns, Probe, Refused

QUERY, MISSING = Refused("invalidQuery"), Refused("notFound")
DML, DDL = "data-manipulation-language", "data-definition-language"
SYNTAX, TRANSACTIONS = "reference/standard-sql/query-syntax", "transactions"
LEXICAL, JSON = "reference/standard-sql/lexical", "reference/standard-sql/json_functions"


def conflict(p: Probe, first: str, second: str) -> object:
    table = p.table({"id": "STRING", "n": "INT64"})
    p.q(f"INSERT INTO {table} (id, n) VALUES ('a', 1), ('b', 2)")
    sessions = [p.session() for _ in range(2)]
    try:
        for session, sql in zip(sessions, (first, second), strict=True):
            p.q("BEGIN TRANSACTION", session=session)
            p.q(sql.format(t=table), session=session)
        for session in sessions:
            p.q("COMMIT TRANSACTION", session=session)
        return p.count(table)
    finally:
        for session in sessions:
            p.q(f"CALL BQ.ABORT_SESSION('{session}')")


def in_transaction(p: Probe, *statements: str) -> Iterator[object]:
    table, session = p.table({"id": "STRING"}), p.session()
    try:
        for sql in ("BEGIN TRANSACTION", *statements):
            p.q(sql.format(t=table), session=session)
        yield p.count(table)
    finally:
        p.q(f"CALL BQ.ABORT_SESSION('{session}')")
    yield p.count(table)


def filled(p: Probe, *statements: str, columns: Columns | None = None) -> object:
    table = p.table(columns or {"k": "STRING", "v": "INT64"})
    for sql in statements:
        p.q(sql.format(t=table))
    return sorted(p.q(f"SELECT * FROM {table}"), key=repr)


INSERT = "INSERT INTO {t} (k, v) VALUES ('a', 1), ('b', 2)"
ONCE = "(SELECT 'a' AS k, 10 AS v UNION ALL SELECT 'c', 3)"
MERGE = (
    "MERGE {{t}} AS t USING {} AS s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = s.v "
    "WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, s.v)"
)
VALUES = "(SELECT 'a' AS x, 1 AS n UNION ALL SELECT 'b', 2 UNION ALL SELECT NULL, 3)"
NEWEST = f"SELECT ARRAY_AGG(x IGNORE NULLS ORDER BY n DESC LIMIT 1)[SAFE_OFFSET(0)] FROM {VALUES} AS s"
WIDE = 'SELECT TO_JSON_STRING(PARSE_JSON(\'{{"b": 1, "a": 123456789012345678901234567890}}\'{}))'


def parsed(p: Probe, how: str) -> object:
    return json.loads(p.q(WIDE.format(how))[0][0])


STATEMENTS: tuple[Case, ...] = (
    Case("INSERT", lambda p: filled(p, INSERT), [("a", 1), ("b", 2)], DML),
    Case("MERGE", lambda p: filled(p, INSERT, MERGE.format(ONCE)), [("a", 10), ("b", 2), ("c", 3)], DML),
    Case(
        "MERGE with two rows for one",
        lambda p: filled(p, INSERT, MERGE.format("(SELECT 'a' AS k, 1 AS v UNION ALL SELECT 'a', 2)")),
        QUERY,
        DML,
    ),
    Case("DELETE needs WHERE", lambda p: filled(p, "DELETE FROM {t}"), QUERY, DML),
    Case("UPDATE needs WHERE", lambda p: filled(p, "UPDATE {t} SET v = 1"), QUERY, DML),
    Case("an integer is not stored as text", lambda p: filled(p, "INSERT INTO {t} (k) SELECT 1"), QUERY, DML),
    Case("UNION needs ALL or DISTINCT", lambda p: p.q("SELECT 1 UNION SELECT 2"), QUERY, SYNTAX),
    Case("WHERE needs FROM", lambda p: p.q("SELECT 1 WHERE TRUE"), QUERY, SYNTAX),
    Case("a reserved word is no name", lambda p: p.q("SELECT 1 AS rows"), QUERY, LEXICAL),
    Case("but in back quotes", lambda p: p.q("SELECT 1 AS `rows`"), [(1,)], LEXICAL),
    Case("double quotes are a text", lambda p: p.q('SELECT "a"'), [("a",)], LEXICAL),
    Case(
        "FILTER is unknown", lambda p: p.q("SELECT COUNT(*) FILTER (WHERE TRUE) FROM UNNEST([1]) AS x"), QUERY, SYNTAX
    ),
    Case("a subquery has no column aliases", lambda p: p.q("SELECT a FROM (SELECT 1) AS s(a)"), QUERY, SYNTAX),
    Case(
        "the newest value that is not null",
        lambda p: p.q(NEWEST),
        [("b",)],
        "reference/standard-sql/aggregate_functions",
    ),
    Case(
        "parameters by position",
        lambda p: p.q("SELECT ?, ?", *(bigquery.ScalarQueryParameter(None, "INT64", each) for each in (1, 2))),
        [(1, 2)],
        "parameterized-queries",
    ),
    Case(
        "json keeps no wide number by itself",
        lambda p: parsed(p, ""),
        QUERY,
        JSON,
    ),
    Case(
        "it rounds it where told",
        lambda p: parsed(p, ", wide_number_mode=>'round'"),
        {"a": 123456789012345678901234567890.0, "b": 1},
        JSON,
    ),
    Case(
        "ALTER adds several columns",
        lambda p: filled(p, "ALTER TABLE {t} ADD COLUMN IF NOT EXISTS v INT64, ADD COLUMN w STRING"),
        [],
        DDL,
    ),
    Case(
        "INT64 becomes FLOAT64",
        lambda p: filled(p, INSERT, "ALTER TABLE {t} ALTER COLUMN v SET DATA TYPE FLOAT64"),
        [("a", 1.0), ("b", 2.0)],
        DDL,
    ),
    Case("but not STRING", lambda p: filled(p, "ALTER TABLE {t} ALTER COLUMN v SET DATA TYPE STRING"), QUERY, DDL),
    Case(
        "a column is renamed and dropped",
        lambda p: filled(p, INSERT, "ALTER TABLE {t} DROP COLUMN k", "ALTER TABLE {t} RENAME COLUMN v TO k"),
        [(1,), (2,)],
        DDL,
    ),
    Case(
        "a column may have # in its name",
        lambda p: filled(p, "ALTER TABLE {t} ADD COLUMN `v#new` INT64"),
        [],
        "schemas",
    ),
    Case(
        "a table is changed at most five times in ten seconds",
        lambda p: filled(p, *(f"ALTER TABLE {{t}} ADD COLUMN c{each} INT64" for each in range(6))),
        Refused("rateLimitExceeded"),
        "quotas",
    ),
    Case(
        "a transaction over several queries, rolled back with its session",
        lambda p: list(in_transaction(p, "INSERT INTO {t} (id) VALUES ('a')")),
        [0, 0],
        TRANSACTIONS,
    ),
    Case(
        "and committed",
        lambda p: list(in_transaction(p, "INSERT INTO {t} (id) VALUES ('a')", "COMMIT TRANSACTION")),
        [1, 1],
        TRANSACTIONS,
    ),
    Case(
        "temporary tables may be made in it",
        lambda p: list(in_transaction(p, "CREATE OR REPLACE TEMP TABLE x (n INT64)", "INSERT INTO x (n) VALUES (1)")),
        [0, 0],
        TRANSACTIONS,
    ),
    Case("others may not", lambda p: list(in_transaction(p, "CREATE TABLE {t}_2 (n INT64)")), QUERY, TRANSACTIONS),
    Case(
        "two transactions that delete of one table conflict",
        lambda p: conflict(p, "DELETE FROM {t} WHERE id = 'a'", "DELETE FROM {t} WHERE id = 'b'"),
        Refused("invalidQuery", "concurrent update"),
        TRANSACTIONS,
    ),
    Case(
        "two that append do not",
        lambda p: conflict(p, "INSERT INTO {t} (id) VALUES ('c')", "INSERT INTO {t} (id) VALUES ('d')"),
        4,
        TRANSACTIONS,
    ),
    Case(
        "nor one that appends and one that deletes",
        lambda p: conflict(p, "DELETE FROM {t} WHERE id = 'a'", "INSERT INTO {t} (id) VALUES ('d')"),
        2,
        TRANSACTIONS,
    ),
    Case("a dataset that is missing", lambda p: p.q("SELECT 1 FROM nowhere_at_all.t"), MISSING, "error-messages"),
)
