"""An answer for people, as data: lines and grids, which print as plain text or, on a terminal, with colours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from loader.commands.words import visible, width

Tone = Literal["plain", "strong", "good", "bad", "faint"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text, or a cell of a grid."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells below headings. Columns named in `right` hold numbers."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str | Line, ...], ...]
    right: frozenset[str] = frozenset()


Page: TypeAlias = Sequence[str | Line | Grid]


def plain(page: Page) -> str:
    """Return the page as aligned text without colours, each line ended."""
    return "".join(f"{text.rstrip()}\n" for block in page for text in _texts(block))


def cell(value: str | Line) -> Line:
    """Return the cell with its tone, and nothing in it that a terminal would obey."""
    text, tone = (value.text, value.tone) if isinstance(value, Line) else (value, "plain")
    return Line(visible(text), tone)


def _texts(block: str | Line | Grid) -> Iterator[str]:
    if not isinstance(block, Grid):
        yield cell(block).text
        return
    lines = [block.headings, *([cell(value).text for value in row] for row in block.rows)]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  " + "  ".join(
            " " * (widest - width(text)) + text if heading in block.right else text + " " * (widest - width(text))
            for text, widest, heading in zip(line, widths, block.headings, strict=True)
        )
