"""A statement of Redshift → what the stand-in does with it: refuse it, translate it, or do it itself.

Only what differs from PostgreSQL is looked at; everything else goes through as it came.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from standins.redshift import tables
from standins.redshift.protocol import RedshiftError
from standins.redshift.tokens import Token, closing, name_at, tokens, words

SETTINGS = {"query_group", "json_parse_truncate_strings", "enable_case_sensitive_identifier", "wlm_query_slot_count"}
LONGEST_NAME_BYTES = 127  # r_names.html
LONGEST_STATEMENT_BYTES = 16 * 2**20  # c_redshift-sql.html: 16 MB
NOT_ON_TABLES = "Specified types or functions (one per INFO message) not supported on Redshift tables."

# Words of a statement → how Redshift refuses it. From c_unsupported-postgresql-features.html,
# c_unsupported-postgresql-functions.html, c_SQL_functions_leader_node_only.html and the syntax pages of the statements.
REFUSED = (
    (r"\bon conflict\b", 'syntax error at or near "on"', "42601"),
    (r"\breturning\b", 'syntax error at or near "returning"', "42601"),
    (r"\bdistinct on\b", "DISTINCT ON is not supported", "0A000"),
    (r"\) filter \(", 'syntax error at or near "("', "42601"),
    (r"\bis (not )?distinct from\b", 'syntax error at or near "distinct"', "42601"),
    (r"\b(from|join|in) \( values\b", 'syntax error at or near "values"', "42601"),
    (r"\blateral\b", 'syntax error at or near "lateral"', "42601"),
    (r"\bfor (update|share)\b", "SELECT FOR UPDATE is not supported", "0A000"),
    (r"^create (unique )?index\b", 'SQL command "CREATE INDEX" not supported on Redshift tables.', "0A000"),
    (r"^create or replace (temp|temporary|table)\b", 'syntax error at or near "table"', "42601"),
    (r"^create (unlogged|foreign) ", "not supported on Redshift tables", "0A000"),
    (r"^copy .* (from stdin|to stdout)\b", "COPY from STDIN is not supported", "0A000"),
    (r"^delete from \S+( \. \S+)? (as |(?!using\b|where\b|;)[a-z…\"])", "syntax error in DELETE: no alias", "42601"),
    (r"^with .* (insert into|update|merge into) ", 'syntax error at or near "insert"', "42601"),
    (r"\b(array_agg|string_agg|generate_series|unnest|jsonb_\w+|json_build_\w+|to_jsonb?) \(", NOT_ON_TABLES, "0A000"),
    (r"^(insert|update|delete|merge) .*\b(now \(|current_timestamp\b|localtimestamp\b)", NOT_ON_TABLES, "0A000"),
    (r"^(?=.* from ).*\b(now \(|current_timestamp\b|localtimestamp\b)", NOT_ON_TABLES, "0A000"),
    (r":: (jsonb?|bytea|uuid|text \[ \])|\bas (jsonb?|bytea|uuid) \)", NOT_ON_TABLES, "0A000"),
)
# r_MERGE.html
MERGE_REFUSED = (
    (r"\bwhen (not )?matched and\b", 'syntax error at or near "and"', "42601"),
    (r"\busing \(", "MERGE source must be a table", "0A000"),
    (r"^merge into \S+( \. \S+)? (as )?(?!using\b)\S+ using\b", "MERGE target cannot be aliased", "42601"),
)
OUTSIDE = r"^(vacuum\b|alter table .* append from\b|create database\b|drop database\b)"


@dataclass(frozen=True, slots=True)
class Statement:
    """What to run for a statement."""

    sql: str  # for PostgreSQL
    tag: str  # the first word
    found: tuple[Token, ...] = ()  # as the client wrote it
    writes: str = ""  # the table that it writes to, in quotes
    outside: bool = False  # refused in a transaction block
    commits: bool = False  # ends the open transaction by itself
    said: str = ""  # the client's text, with its comments

    @property
    def long_names(self) -> dict[str, str]:
        """Return the names that PostgreSQL holds in another form, by that form."""
        return {each.value: each.name for each in self.found if each.kind == "name" and each.value != each.name}

    @property
    def is_copy(self) -> bool:
        """Return whether the stand-in does it by itself."""
        return self.tag == "copy"


def translated(sql: str) -> Statement:
    """Return what is to be run. Raises RedshiftError for what Redshift refuses whatever the state."""
    if len(sql.encode()) > LONGEST_STATEMENT_BYTES:
        raise RedshiftError("Statement is too large. Statement size: over 16777216", "54001")
    found = tokens(sql)
    while found and found[-1].is_(";"):
        found.pop()
    if not found:
        return Statement(sql, "")
    if any(each.is_(";") for each in found):
        raise RedshiftError("stand-in: one statement at a time", "0A000")
    _check(found)
    return replace(_made(sql, found), said=sql)


def _check(found: Sequence[Token]) -> None:
    text = words(found)
    refused = (*REFUSED, *(MERGE_REFUSED if found[0].is_("merge") else ()))
    for pattern, message, code in refused:
        if re.search(pattern, text, re.DOTALL):
            raise RedshiftError(message, code)
    both = "when matched then" in text and "when not matched then" in text
    if found[0].is_("merge") and "remove duplicates" not in text and not both:
        raise RedshiftError("MERGE needs both WHEN MATCHED and WHEN NOT MATCHED", "42601")
    if any(each.kind == "name" and len(each.name.encode()) > LONGEST_NAME_BYTES for each in found):
        raise RedshiftError("stand-in: a name of more than 127 bytes would be cut", "42622")


def _made(sql: str, found: list[Token]) -> Statement:
    tag = found[0].text.lower()
    outside = bool(re.match(OUTSIDE, words(found)))
    plain = Statement(_spelled(found), tag, tuple(found), _written(found), outside)
    match tag:
        case "create" if _is_table(found):
            return replace(plain, sql=tables.created(found, _spelled))
        case "create" if words(found).endswith("with no schema binding"):
            return replace(plain, sql=_spelled(found[:-4]))
        case "alter" if found[1].is_("table"):
            altered, alone = tables.altered(found, _spelled)
            return replace(plain, sql=altered, outside=outside or alone)
        case "truncate":  # r_TRUNCATE.html: it commits the transaction in which it runs
            return replace(plain, commits=True)
        case "vacuum" | "analyze":
            return replace(plain, sql="SELECT 1 WHERE false")
        case "set" | "show" | "reset" if len(found) > 1 and found[1].value in SETTINGS:
            return replace(plain, sql=f"{tag} rs.{_spelled(found[1:])}")
        case _ if any(each.is_("qualify") for each in found):
            return replace(plain, sql=_unqualified(sql))
        case _:
            return plain


def _is_table(found: Sequence[Token]) -> bool:
    return any(each.is_("table") for each in found[1:4])


def _written(found: Sequence[Token]) -> str:
    """Return the table that a statement writes to, in quotes; "" if it writes to none."""
    after = {"insert": 2, "delete": 2, "merge": 2, "update": 1, "copy": 1}
    start = after.get(found[0].text.lower())
    if start is None or len(found) <= start:
        return ""
    return ".".join(f'"{part}"' for part in name_at(found, start)[0])


def _spelled(found: Sequence[Token]) -> str:
    """Return tokens as PostgreSQL's text: names folded, Redshift's own words replaced."""
    result: list[str] = []
    position = 0
    while position < len(found):
        each = found[position]
        called = position + 1 < len(found) and found[position + 1].is_("(")
        if each.kind == "name":
            result.append('"' + each.value.replace('"', '""') + '"')
        elif each.is_("sysdate", "getdate") or (each.is_("version") and called):
            result.append(f"public.rs_{each.value}()")
            position += 2 * called
        elif each.is_("datediff", "dateadd") and called:
            result += [f"public.rs_{each.value}", "(", f"'{found[position + 2].value}'"]
            position += 2
        elif each.is_("varbyte", "varbinary"):
            result.append("bytea")
            position = closing(found, position + 1) if called else position
        elif each.is_("ignore") and found[position + 1].is_("nulls"):
            position += 1  # as `last_value` does below
        else:
            result.append("public.rs_last_value" if each.is_("last_value") and called else each.text)
        position += 1
    return _joined(result)


def _joined(parts: Sequence[str]) -> str:
    tight = {".", "::"}
    return "".join(
        part if not at or part in tight or parts[at - 1] in tight else f" {part}" for at, part in enumerate(parts)
    )


def _unqualified(sql: str) -> str:
    """Return a query with QUALIFY (r_QUALIFY_clause.html) as one with a subquery: PostgreSQL has none."""
    import sqlglot  # slow to import, and rarely needed
    from sqlglot.transforms import eliminate_qualify

    tree = sqlglot.parse_one(sql, dialect="redshift")
    for select in list(tree.find_all(sqlglot.exp.Select)):
        if select.args.get("qualify"):
            changed = eliminate_qualify(select)
            if select is tree:
                tree = changed
            else:
                select.replace(changed)
    return _spelled(tokens(tree.sql(dialect="postgres")))
