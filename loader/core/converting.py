"""A column's values in a wider type, as SQL: spelled as `loader.core.cast` spells them, nothing lost."""

from loader.core.dialect import Dialect
from loader.core.types import MAX_EXACT, ColumnType


def converted(dialect: Dialect, source: str, old: ColumnType, new: ColumnType) -> str:
    """Return the expression for `source`, an expression of type `old`, in type `new`."""
    if new is ColumnType.DOUBLE:
        return f"CAST({source} AS {dialect.types[new]})"
    text = _text(source, old)
    if new is not ColumnType.JSON:
        return text
    if old in (ColumnType.STRING, ColumnType.TIMESTAMP):
        return f"to_json({text})"
    return f"CAST({text} AS {dialect.types[new]})"


def _text(source: str, old: ColumnType) -> str:
    text = f"CAST({source} AS VARCHAR)"
    match old:
        case ColumnType.DOUBLE:  # a whole number is written without a fraction
            whole = f"CAST(CAST({source} AS BIGINT) AS VARCHAR)"
            return f"CASE WHEN abs({source}) < {MAX_EXACT} AND {source} = trunc({source}) THEN {whole} ELSE {text} END"
        case ColumnType.TIMESTAMP:
            moment = f"CAST({source} AT TIME ZONE 'UTC' AS TIMESTAMP)"
            return f"replace(strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z')"
        case _:
            return text
