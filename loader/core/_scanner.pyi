"""The compiled scanner (loader/core/scanner/): blocks of JSON lines → columns per table, in one pass."""

from collections.abc import Callable, Iterable

from typing_extensions import Buffer

Span = tuple[int, int, int]  # start and stop in the block, and the row key
Taken = tuple[tuple[str, ...], str, int, Buffer, Buffer, Buffer]  # path, kind, nulls, validity, offsets, values

class Scanner:
    """Takes the lines that are what the spec says; tells of all others, which it leaves untouched."""

    def __init__(
        self,
        keys: tuple[str, ...],
        route: Callable[[str, str | None], int],
        digest: Callable[[bytes], int],
        *,
        max_depth: int,
        max_line_bytes: int,
        max_bytes: int,
        max_cells: int,
    ) -> None:
        """`keys`: the top-level keys that matter, the first five being type, event, messageId, userId, anonymousId.

        `route`: asked once for each type and event name; returns a code of `add_target`, or −1 for lines to refuse.
        `digest`: xxh3-64. A scan stops early when all tables hold `max_bytes`, or one has `max_cells` rows × columns.
        """

    def add_table(self) -> int:
        """Make a table; return its number."""

    def add_target(self, table: int, strings: Iterable[str], objects: Iterable[str], required: Iterable[str], /) -> int:
        """Say what becomes of lines, and return the code of it: rows of a table, or −1, and they are only told.

        The values of `strings` and `objects` become columns; lines where they are something else are refused,
        and lines where one that is `required` is not there.
        """

    def scan(
        self, block: bytes, start: int, key: int, /
    ) -> tuple[int, int, int, int, list[Span], list[Span], list[tuple[int, int]]]:
        """Take the lines of a block from `start` on; `key` is the row key of the first.

        Return where it stopped, how many lines it has seen and taken, and the table with too many cells or −1; then
        the spans of the lines that it refused and of those taken without an id, and code and row key of those only
        told. It lets other threads run meanwhile. MemoryError, what `route` raises, and RuntimeError for a scanner with
        which another thread scans.
        """

    def take(self, table: int, /) -> tuple[int, Buffer, Buffer, list[Taken]]:
        """Hand over the rows of a table: how many, their keys, their hashes, and columns in Arrow's layout."""

    def sizes(self) -> list[int]:
        """Return the bytes that each table holds."""
