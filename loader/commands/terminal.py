"""Answers and progress on a terminal, through rich. The only module of the commands that imports rich."""

import sys
from threading import Lock

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column, Table
from rich.text import Text

from loader.commands.page import Grid, Line, Page, Tone, cell
from loader.commands.progress import done_of, rates
from loader.commands.words import duration, visible, width

SHORT = 24  # characters: columns as narrow as that never wrap, and none becomes narrower
STYLES: dict[Tone, str] = {"plain": "", "strong": "bold", "good": "green", "bad": "bold red", "faint": "dim"}


def colourful(page: Page, *, console: Console | None = None) -> str:
    """Return the page for the terminal of standard output: as wide as it is, without colours under NO_COLOR."""
    console = console or Console(file=sys.stdout, highlight=False)
    watched = console.width
    with console.capture() as capture:
        for block in page:
            if isinstance(block, Grid):
                console.width = max(watched, _least_width(block))
                console.print(_table(block))
            else:
                console.print(_text(block), soft_wrap=True)
    return capture.get()


class Bar:
    """Progress as one bar on standard error, with events and bytes per second; it leaves nothing behind."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=20),
            _Numbers(table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )

    def __enter__(self) -> "Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, name: str, *, total: int | None, unit: str) -> None:
        """Replace the bar by one for this step."""
        with self._lock:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(visible(name), total=total, unit=unit, events=0)

    def advance(self, amount: int, *, events: int = 0) -> None:
        """Move the bar."""
        with self._lock:
            for task in self._bar.tasks:
                self._bar.update(task.id, advance=amount, events=task.fields["events"] + events)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(Text(visible(text)), soft_wrap=True)


class _Numbers(ProgressColumn):
    """Right of the bar: how much is done, and how fast."""

    def render(self, task: Task) -> Text:
        total = None if task.total is None else round(task.total)
        unit, done, seconds = task.fields["unit"], round(task.completed), task.elapsed or 0.0
        parts = [done_of(done, total, unit), *rates(done, task.fields["events"], unit, seconds)]
        if task.time_remaining:
            parts.append(f"{duration(max(round(task.time_remaining), 1))} left")
        return Text(", ".join(parts), style="dim")


def _text(block: str | Line) -> Text:
    line = cell(block)
    return Text(line.text, style=STYLES[line.tone])


def _table(grid: Grid) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, header_style="bold")
    for heading, widest in zip(grid.headings, _widths(grid), strict=True):
        justify: JustifyMethod = "right" if heading in grid.right else "left"
        table.add_column(
            Text(heading), justify=justify, no_wrap=widest <= SHORT, min_width=min(widest, SHORT), overflow="fold"
        )
    for row in grid.rows:
        table.add_row(*map(_text, row))
    return table


def _widths(grid: Grid) -> list[int]:
    return [max(width(cell(text).text) for text in column) for column in zip(grid.headings, *grid.rows, strict=True)]


def _least_width(grid: Grid) -> int:
    """Return how wide the grid is at least; a narrower terminal breaks its lines, for a cut number would be a lie."""
    return sum(min(widest, SHORT) + 2 for widest in _widths(grid))
