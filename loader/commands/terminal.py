"""Answers and progress on a terminal, through rich. The only module of the commands that imports rich."""

import sys
from threading import Lock

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column, Table
from rich.text import Text

from loader.commands.page import Grid, Line, Page, Tone, cell
from loader.commands.progress import done_of, rates
from loader.commands.words import duration, visible

STYLES: dict[Tone, str] = {"plain": "", "strong": "bold", "good": "green", "bad": "bold red", "faint": "dim"}


def colourful(page: Page, *, console: Console | None = None) -> str:
    """Return the page for the terminal of standard output: as wide as it is, without colours under NO_COLOR."""
    console = console or Console(file=sys.stdout, highlight=False)
    with console.capture() as capture:
        for block in page:
            console.print(
                _table(block) if isinstance(block, Grid) else _text(block), soft_wrap=not isinstance(block, Grid)
            )
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
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1), header_style="bold")
    for heading in grid.headings:
        table.add_column(Text(heading), justify="right" if heading in grid.right else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*map(_text, row))
    return table
