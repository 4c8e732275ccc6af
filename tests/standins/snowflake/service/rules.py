"""What Snowflake's compiler refuses and the engine below would take: reserved words, unknown functions, dialect.

Sources: docs.snowflake.com/en/sql-reference/reserved-keywords and /functions-all (read 2026-11). Only the functions
that a loader has use for are in the list: another one is refused too, and the list is to be extended then.
"""

import re

from standins.snowflake.service.refusals import RefusedError


def _words(listed: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", listed))


# Words that no unquoted column, table or alias may be.
RESERVED = _words(
    "ALL ALTER AND ANY AS BETWEEN BY CHECK COLUMN CONNECT CONSTRAINT CREATE CROSS CURRENT DELETE DISTINCT DROP ELSE "
    "EXISTS FOLLOWING FOR FROM FULL GRANT GROUP HAVING ILIKE IN INCREMENT INNER INSERT INTERSECT INTO IS JOIN LATERAL "
    "LEFT LIKE MINUS NATURAL NOT NULL OF ON OR ORDER QUALIFY REGEXP REVOKE RIGHT RLIKE ROW ROWS SAMPLE SELECT SET SOME "
    "START TABLE TABLESAMPLE THEN TO TRIGGER UNION UNIQUE UPDATE USING VALUES WHENEVER WHERE WITH"
)
_FUNCTIONS = _words(
    "ABS ANY_VALUE ARRAY_AGG ARRAY_CONSTRUCT ARRAY_SIZE AVG BITAND BITOR BITSHIFTLEFT BITSHIFTRIGHT BITXOR CAST CEIL "
    "CHAR_LENGTH CHR COALESCE CONCAT CONTAINS CONVERT_TIMEZONE COUNT COUNT_IF CURRENT_DATABASE CURRENT_DATE "
    "CURRENT_ROLE CURRENT_SCHEMA CURRENT_TIMESTAMP CURRENT_USER CURRENT_VERSION CURRENT_WAREHOUSE DATE_PART DATE_TRUNC "
    "DATEADD DATEDIFF DAYNAME DENSE_RANK DIV0 ENDSWITH EQUAL_NULL EXTRACT FIRST_VALUE FLATTEN FLOOR GET GET_PATH "
    "GREATEST IFF IFNULL INITCAP IS_NULL_VALUE LAG LAST_QUERY_ID LAST_VALUE LEAD LEAST LEN LENGTH LISTAGG LN LOWER "
    "LPAD LTRIM MAX MAX_BY MD5 MIN MIN_BY MOD NTH_VALUE NTILE NULLIF NVL NVL2 OBJECT_AGG OBJECT_CONSTRUCT OCTET_LENGTH "
    "PARSE_JSON PERCENT_RANK POSITION POW POWER QUERY_HISTORY QUERY_HISTORY_BY_USER RANDOM RANK REGEXP_LIKE "
    "REGEXP_REPLACE REGEXP_SUBSTR "
    "REPEAT REPLACE RESULT_SCAN REVERSE ROUND ROW_NUMBER RPAD RTRIM SHA1 SHA2 SIGN SPLIT SPLIT_PART SQRT STARTSWITH "
    "STRTOK SUBSTR SUBSTRING SUM SYSDATE TABLE TIME_SLICE TIMEDIFF TIMESTAMPADD TIMESTAMPDIFF TO_BINARY TO_BOOLEAN "
    "TO_CHAR TO_DATE TO_DECIMAL TO_DOUBLE TO_JSON TO_NUMBER TO_NUMERIC TO_TIME TO_TIMESTAMP TO_TIMESTAMP_LTZ "
    "TO_TIMESTAMP_NTZ TO_TIMESTAMP_TZ TO_VARCHAR TO_VARIANT TRANSLATE TRIM TRUNC TRUNCATE TRY_CAST TRY_PARSE_JSON "
    "TRY_TO_BOOLEAN TRY_TO_DOUBLE TRY_TO_NUMBER TRY_TO_TIMESTAMP TYPEOF UPPER UUID_STRING YEAR ZEROIFNULL"
)
# Words of the language, and types, that a parenthesis may follow.
_WORDS = RESERVED | _words(
    "OVER VALUES USING EXISTS PARTITION CLUSTER FILTER WITHIN IF BEGIN AT NUMBER DECIMAL NUMERIC VARCHAR CHAR STRING "
    "TEXT BINARY TIMESTAMP TIMESTAMP_LTZ TIMESTAMP_NTZ TIMESTAMP_TZ TIMESTAMPLTZ TIMESTAMPNTZ TIMESTAMPTZ TIME FLOAT "
    "KEY CASE WHEN END RETURN EXCEPT EXCLUDE ONLY IGNORE RESPECT"
)
_TEXT = re.compile(r"'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_CALL = re.compile(r"(?<![\w$.\"@%])([a-z_]\w*)\s*\(", re.IGNORECASE)
_OTHERS = {
    r"\bFILTER\s*\(\s*WHERE\b": "syntax error: unexpected 'FILTER'.",
    r"\bTIMESTAMPTZ\s+''": "syntax error: unexpected literal.",
    r"\bCREATE\s+OR\s+REPLACE\s+TABLE\s+IF\s+NOT\b": "options OR REPLACE and IF NOT EXISTS are incompatible.",
    r"\bON\s+CONFLICT\b": "syntax error: unexpected 'CONFLICT'.",
    r"\bRETURNING\b": "syntax error: unexpected 'RETURNING'.",
    r"\bFOR\s+SHARE\b": "syntax error: unexpected 'SHARE'.",
}
_COLUMN = re.compile(
    rf"(?:\.\s*|[,(]\s*|\bSELECT\s+)({'|'.join(sorted(RESERVED))})\s*(?=[,)=]|$|FROM\b)", re.IGNORECASE
)
_MAY_END = frozenset(("NULL", "ALL"))  # reserved, but also an expression of its own


def check(sql: str) -> None:
    """Raise what the compiler would say about a statement that the engine might run all the same."""
    bare = _TEXT.sub(lambda found: "''" if found[0][0] == "'" else '""' if found[0][0] == '"' else " ", sql)
    defined = set(re.findall(r"(?:\bAS|\bWITH|\bTABLE|\bINTO|\bEXISTS|\bVIEW)\s+([a-z_]\w*)\s*\(", bare, re.IGNORECASE))
    for found in _CALL.finditer(bare):
        word = found[1].upper()
        if word not in _FUNCTIONS | _WORDS and found[1] not in defined:
            raise RefusedError(2140, "42601", f"SQL compilation error: Unknown function {word}")
    for pattern, message in _OTHERS.items():
        if re.search(pattern, bare, re.IGNORECASE):
            raise RefusedError(1003, "42000", f"SQL compilation error: {message}")
    for found in _COLUMN.finditer(bare):
        if found[1].upper() not in _MAY_END:
            raise RefusedError(1003, "42000", f"SQL compilation error: syntax error: unexpected '{found[1]}'.")
