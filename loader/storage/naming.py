"""What obstore can name of a bucket's keys, and where a listing of it is to begin."""

import re

UNNAMEABLE = re.compile(r"//|[\x00-\x1f\x7f]|(?:^|/)\.{1,2}(?:/|$)|^/|/$")


def unnameable(path: str) -> bool:
    """Whether obstore cannot name what starts with the path."""
    return UNNAMEABLE.search(path.removesuffix("/")) is not None


def bound(path: str) -> str:
    """Return the longest start of the path that obstore can name: it sorts no later than the path."""
    found = UNNAMEABLE.search(path)
    return path[: found.start()] if found else path


def just_below(prefix: str) -> str:
    """Return a path that sorts before all that start with the prefix, and after most that sort before those."""
    start, last = prefix[:-1], prefix[-1:]
    if not last or last == "/" or start.endswith("/") or not start:
        return ""
    return start + chr(ord(last) - 1) + "~~~" if last.isascii() and last.isalnum() else start
