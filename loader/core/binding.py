"""`?` in SQL → what a driver wants in its place."""

import re

# A text or a quoted name, which is left alone; or one mark that stands for a value.
_TOKEN = re.compile(r"'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\"|`(?:[^`\\]|\\.)*`|\?")


def formatted(sql: str) -> str:
    """Return SQL with `%s` for each `?` outside of texts and names, and every `%` doubled.

    >>> formatted("SELECT '?%' WHERE a = ?")
    "SELECT '?%%' WHERE a = %s"
    """
    return _TOKEN.sub(lambda found: "%s" if found[0] == "?" else found[0], sql.replace("%", "%%"))
