"""The plan of a sync, as SQL: the rows of an audience beside what the tool was told last, and what is to be sent.

No row leaves the warehouse unless it is work. `current` is the audience once, so that its numbers, its checks and its
rows agree; `work` is the difference; `plan` is the work in the order in which it is sent, and stays as it is for the
whole run. A row's hash is over the mapped columns only, in one text form per column in which null is not empty.

The ledger keeps two versions of a row: what the tool confirmed (`row_hash`, `idents`), and what it did not take yet
(`pending_hash`). Only the first is ever compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loader.core.audience import Mode
from loader.core.dialect import Dialect, literal, quoted
from loader.core.types import ColumnType

CURRENT, TWICE, WORK = "sync_current", "sync_twice", "sync_work"
LEDGER = "loader.sync_ledger"
REMOVING = (Mode.MIRROR, Mode.AUDIENCE)
PLAN = (
    *("seq", "row_key", "op", "why", "row_hash", "ident_source", "version", "attempts", "idents", "remote_id"),
    "shared",
)
_OF_64_BITS = 16**8


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be planned. SQL of people is never parsed here: it stands in brackets of its own."""

    sync: str
    run: str
    mapping: str  # a hash of the mapping: when it changes, every row has changed
    audience: str  # a query
    key: str
    columns: Sequence[str]  # the mapped ones, each once; in the plan they are c0, c1, …
    identity: Sequence[str]  # those of identifiers
    mode: Mode
    max_row_bytes: int
    suppress: str | None = None  # a query whose first column, named `suppressed_key`, is keys
    holdout: float = 0.0  # share of the keys
    resync: bool = False
    retry: str | None = None  # a code or a state: rows that wait with it are sent again


def current(dialect: Dialect, asked: Asked) -> str:
    """Return the statement that evaluates the audience, once."""
    values = ", ".join(f"{quoted(dialect, name)} AS c{place}" for place, name in enumerate(asked.columns))
    key, whole = _text(dialect, quoted(dialect, asked.key)), _joined(dialect, asked.columns)
    identity = _md5(dialect, _joined(dialect, asked.identity)) if asked.identity else "NULL"
    hashed = _md5(dialect, f"{whole} || {literal(dialect, asked.mapping)}")  # last: the rest is that of `size`
    return f"""
CREATE TEMP TABLE {CURRENT} AS
SELECT row_key, row_hash, ident_source, {_state(dialect, asked)} AS state, {", ".join(_values(asked))}
FROM (
  SELECT {key} AS row_key, {hashed} AS row_hash, {identity} AS ident_source,
    length({whole}) AS size, {values}
  FROM (
{asked.audience}
  ) AS audience
) AS audience{_suppressed(dialect, asked)}"""


def _state(dialect: Dialect, asked: Asked) -> str:
    """Return the expression for why a row is not to be sent, or ''."""
    cases = ["WHEN row_key IS NULL THEN 'null_key'"]
    if asked.suppress:
        cases.append("WHEN suppressed_key IS NOT NULL THEN 'suppressed'")
    if asked.holdout:
        bound = literal(dialect, f"{int(asked.holdout * _OF_64_BITS):08x}") if asked.holdout < 1 else "'g'"
        place = _md5(dialect, f"{literal(dialect, asked.sync + ':')} || row_key")
        cases.append(f"WHEN substr({place}, 1, 8) < {bound} THEN 'held_out'")
    cases.append(f"WHEN size > {asked.max_row_bytes} THEN 'too_large'")
    return f"CASE {' '.join(cases)} ELSE '' END"


def _suppressed(dialect: Dialect, asked: Asked) -> str:
    if not asked.suppress:
        return ""
    key = _text(dialect, "suppressed_key")
    return f"""
LEFT JOIN (SELECT DISTINCT {key} AS suppressed_key FROM (
{asked.suppress}
) AS listed) AS suppressed ON suppressed_key = row_key"""


def twice() -> str:
    """Return the statement that finds the keys of more than one row."""
    return f"""
CREATE TEMP TABLE {TWICE} AS
SELECT row_key, count(*) AS times FROM {CURRENT} WHERE row_key IS NOT NULL GROUP BY row_key HAVING count(*) > 1"""


def work(dialect: Dialect, asked: Asked, *, refresh_before: str | None) -> str:
    """Return the statement that finds what is to be sent. `?` is the sync, twice.

    Keys and hashes are compared first, and only the rows that are work are read whole: mostly they are few.
    `refresh_before`: the literal of a time; rows confirmed before it are sent again.
    """
    name = f"{literal(dialect, asked.run)} || '.' || coalesce(c.row_hash, '-') || '.' || coalesce(c.row_key, l.row_key)"
    version = (
        "CASE WHEN l.state = 'retry' AND l.pending_hash = c.row_hash AND l.op <> 'remove' THEN l.version "
        f"ELSE {_md5(dialect, name)} END"
    )
    values = "".join(f", c.{each}" for each in _values(asked))
    return f"""
CREATE TEMP TABLE {WORK} AS
WITH due AS (
{_due(dialect, asked, refresh_before)}
)
SELECT coalesce(c.row_key, l.row_key) AS row_key,
  CASE WHEN c.row_key IS NULL THEN 'remove' WHEN l.row_hash IS NULL THEN 'add' ELSE 'change' END AS op,
  CASE WHEN l.state = 'retry' THEN 'retry' WHEN c.row_key IS NULL THEN 'left' WHEN l.row_hash IS NULL THEN 'new'
    WHEN l.row_hash <> c.row_hash THEN 'changed' ELSE 'again' END AS why,
  c.row_hash, c.ident_source, l.ident_source AS old_source, l.ident_hash, {version} AS version,
  coalesce(l.attempts, 0) AS attempts, l.idents, l.remote_id{values}
FROM (SELECT * FROM {CURRENT} WHERE state = '' AND row_key IN (SELECT row_key FROM due)) AS c
FULL JOIN (
  SELECT * FROM {LEDGER} WHERE sync = ? AND row_key IN (SELECT row_key FROM due)
) AS l ON l.row_key = c.row_key"""


def _due(dialect: Dialect, asked: Asked, refresh_before: str | None) -> str:
    """Return the query for the keys that are work. `?` is the sync."""
    return f"""
  SELECT coalesce(c.row_key, l.row_key) AS row_key
  FROM (
    SELECT row_key, row_hash FROM {CURRENT} WHERE state = '' AND row_key NOT IN (SELECT row_key FROM {TWICE})
  ) AS c
  FULL JOIN (
    SELECT row_key, row_hash, pending_hash, state, op, code, idents, sent_at FROM {LEDGER} WHERE sync = ?
  ) AS l ON l.row_key = c.row_key
  WHERE (c.row_key IS NOT NULL AND ({_sent(dialect, asked, refresh_before)}))
    OR (c.row_key IS NULL AND {_left(dialect, asked)})"""


def _sent(dialect: Dialect, asked: Asked, refresh_before: str | None) -> str:
    """Return the condition that a row of the audience is work."""
    known = ["l.row_key IS NULL", "l.state IN ('removed', 'held_out', 'retry')"]
    if asked.mode is not Mode.INSERT:
        known.append("(l.state = 'confirmed' AND l.row_hash <> c.row_hash)")
        known.append("(l.state = 'unknown' AND l.pending_hash <> c.row_hash)")
    known.append("(l.state IN ('rejected', 'dead') AND (l.pending_hash <> c.row_hash OR l.op = 'remove'))")
    if refresh_before:
        known.append(f"(l.state = 'confirmed' AND l.sent_at < {refresh_before})")
    if asked.retry:
        code = literal(dialect, asked.retry)
        known.append(f"(l.state IN ('rejected', 'dead', 'unknown') AND (l.code = {code} OR l.state = {code}))")
    if asked.resync:
        known.append("l.state = 'confirmed'")
    return " OR ".join(known)


def _left(dialect: Dialect, asked: Asked) -> str:
    """Return the condition that somebody who is not in the audience is work. Bad keys are no reason to remove."""
    if asked.mode not in REMOVING:
        return "1 = 0"
    again = ""
    if asked.retry:
        code = literal(dialect, asked.retry)
        again = f" OR l.code = {code} OR l.state = {code}"
    return f"""l.idents IS NOT NULL AND l.state <> 'sent'
    AND NOT (l.op = 'remove' AND l.state IN ('rejected', 'dead', 'unknown') AND NOT (1 = 0{again}))
    AND l.row_key NOT IN (SELECT row_key FROM {TWICE})
    AND l.row_key NOT IN (SELECT row_key FROM {CURRENT} WHERE state = 'too_large' AND row_key IS NOT NULL)"""


def plan(dialect: Dialect, asked: Asked, table: str) -> str:
    """Return the statement that freezes the work, removals first. `?` is the sync.

    Whose identifier has changed is first removed under the old one (`replace`). Nobody is removed under an identifier
    that somebody who stays was sent with, and of several who leave with one identifier only the first is sent.
    """
    values = _values(asked)
    replaced = "op = 'change' AND idents IS NOT NULL AND ident_source <> old_source"
    removed = "op = 'remove'" + (f" OR ({replaced})" if asked.mode in REMOVING and asked.identity else "")
    names = ", ".join(["row_key", "why", "row_hash", "ident_source", "attempts", "idents", "remote_id"])
    old = _md5(dialect, "version || '.old'")  # the two halves of a replacement are two things to say
    return f"""
CREATE TABLE {table} AS
SELECT row_number() OVER (ORDER BY phase, row_key) AS seq, *
FROM (
  SELECT 0 AS phase, {names}, CASE op WHEN 'remove' THEN version ELSE {old} END AS version,
    CASE op WHEN 'remove' THEN op ELSE 'replace' END AS op,
    CASE WHEN w.ident_hash IS NULL THEN 0 WHEN s.ident_hash IS NOT NULL THEN 1
      WHEN row_number() OVER (PARTITION BY w.ident_hash ORDER BY row_key) > 1 THEN 1 ELSE 0 END AS shared,
    {", ".join(values)}
  FROM {WORK} AS w LEFT JOIN (
    SELECT DISTINCT h.ident_hash FROM {LEDGER} AS h
    JOIN {CURRENT} AS c ON c.row_key = h.row_key AND c.ident_source = h.ident_source AND c.state = ''
    WHERE h.sync = ? AND h.idents IS NOT NULL AND h.ident_hash IN (SELECT ident_hash FROM {WORK} WHERE {removed})
  ) AS s ON s.ident_hash = w.ident_hash
  WHERE {removed}
  UNION ALL
  SELECT 1 AS phase, {names}, version, op, 0 AS shared, {", ".join(values)}
  FROM {WORK} WHERE op <> 'remove'
) AS ordered"""


def held_out(dialect: Dialect) -> str:
    """Return the statement that notes who is held out and was never sent. `?`: sync, run, time, sync."""
    kind = dialect.types[ColumnType.STRING]
    return f"""
INSERT INTO {LEDGER} (sync, row_key, state, op, run_id, changed_at)
SELECT CAST(? AS {kind}), row_key, 'held_out', 'none', CAST(? AS {kind}), ? FROM {CURRENT}
WHERE state = 'held_out' AND row_key NOT IN (SELECT row_key FROM {LEDGER} WHERE sync = ?)"""


def chunk(table: str, columns: int, *, resumed: bool) -> str:
    """Return the query for the next rows of the plan in order. `?`: after which seq, a limit; resumed also the run.

    Resumed, rows are left out that were settled before.
    """
    names = ", ".join([*PLAN, *(f"c{place}" for place in range(columns))])
    settled = (
        " AND seq NOT IN (SELECT seq FROM loader.sync_rows WHERE run_id = ? AND state NOT IN ('sending', 'invalid'))"
        if resumed
        else ""
    )
    return f"SELECT {names} FROM {table} WHERE phase = ? AND seq > ?{settled} ORDER BY seq LIMIT ?"


def _values(asked: Asked) -> list[str]:
    return [f"c{place}" for place in range(len(asked.columns))]


def _md5(dialect: Dialect, value: str) -> str:
    return dialect.md5.format(value=value)


def _text(dialect: Dialect, value: str) -> str:
    return f"CAST({value} AS {dialect.types[ColumnType.STRING]})"


def _joined(dialect: Dialect, columns: Sequence[str]) -> str:
    """Return an expression that differs wherever two rows do: each text with its length before it, n for null."""
    texts = [_text(dialect, quoted(dialect, name)) for name in columns]
    return " || ".join(f"coalesce({_text(dialect, f'length({each})')} || ':' || {each}, 'n')" for each in texts)


def counts(found: Sequence[tuple[str, int]]) -> Mapping[str, int]:
    """Return name → number of rows of a query that counts."""
    return {str(name): int(number) for name, number in found}
