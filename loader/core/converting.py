"""A column's values in a wider type, as SQL: spelled as `loader.core.cast` spells them, nothing lost."""

from loader.core.dialect import Dialect
from loader.core.types import MAX_EXACT, ColumnType


def converted(dialect: Dialect, source: str, old: ColumnType, new: ColumnType) -> str:
    """Return the expression for `source`, an expression of type `old`, in type `new`. Staged json is text."""
    if new is ColumnType.DOUBLE:
        return f"CAST({source} AS {dialect.types[new]})"
    text = _text(dialect, source, old)
    if new is not ColumnType.JSON:
        return text
    if old in (ColumnType.STRING, ColumnType.TIMESTAMP):
        return dialect.text_as_json.format(value=text)
    return dialect.parsed_json.format(value=text)


def _text(dialect: Dialect, source: str, old: ColumnType) -> str:
    match old:
        case ColumnType.DOUBLE:  # a whole number is written without a fraction
            whole = dialect.text.format(value=f"CAST({source} AS {dialect.types[ColumnType.INTEGER]})")
            is_whole = f"abs({source}) < {MAX_EXACT} AND {source} = {dialect.truncated.format(value=source)}"
            return f"CASE WHEN {is_whole} THEN {whole} ELSE {dialect.double_text.format(value=source)} END"
        case ColumnType.TIMESTAMP:
            return dialect.timestamp_text.format(value=source)
        case ColumnType.BOOLEAN if dialect.boolean_text:
            return dialect.boolean_text.format(value=source)
        case _:
            return dialect.text.format(value=source)
