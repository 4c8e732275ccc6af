"""`loader generate`: files of synthetic events, the same for the same options."""

import gzip
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from loader.commands.arguments import Arguments, Commands, command, count, moment, share, source_option
from loader.commands.output import answer
from loader.commands.page import Line, Page
from loader.commands.progress import progress
from loader.commands.settings import chosen, known, settings
from loader.commands.words import amount, size
from loader.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from loader.core.objects import Store
    from loader.core.synthetic import Shape

NUMBERS = (  # option, default of Shape, what it is; all are whole numbers above zero
    ("events", 10_000, "how many events"),
    ("event-names", 60, "how many names of track events; few are common, most are rare"),
    ("seed", 1, "another seed gives other events"),
    ("files", 20, "how many files, spread evenly over the hours"),
    ("days", 1, "how many days of receipt"),
)
SHARES = (  # option, default of Shape, what it is; all are between 0 and 1
    ("duplicates", 0.005, "share of events that were sent before"),
    ("dirty", 0.0, "share of lines that are no event"),
    ("conflicts", 0.0005, "share of events with a value of another type than usual"),
    ("late", 0.01, "share of events that happened days before they were received"),
    ("batches", 0.0, "share of events that share a line, as a batch"),
)
TEXT = """\
Write gzip files of synthetic events into the folder or bucket of a source, or anywhere with --to. The same options
give the same files, and a file that is there already is left as it is; one with other content is never replaced."""
EXAMPLES = """\
  loader generate                              10,000 events into the only source
  loader generate --source web --days 3 --dirty 0.01
  loader generate --to /tmp/events --events 1,000,000 --files 100"""


@dataclass(frozen=True, slots=True)
class Generated:
    """What was generated, and where it is."""

    url: str
    files: int
    events: int  # lines that are no event among them
    stored_bytes: int
    kept: int  # files that were there already, with the same bytes


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = command(
        commands,
        "generate",
        generate,
        summary="write synthetic event files to try it with",
        text=TEXT,
        examples=EXAMPLES,
    )
    where = parser.add_mutually_exclusive_group()
    source_option(where, text="write where this source of loader.toml is read (default: the only source)")
    where.add_argument("--to", metavar="FOLDER", help="write here instead; needs no loader.toml")
    for name, default, text in NUMBERS:
        parser.add_argument(
            f"--{name}", type=count, default=default, metavar="N", help=f"{text} (default: {default:,})"
        )
    for name, chance, text in SHARES:
        parser.add_argument(
            f"--{name}", type=share, default=chance, metavar="SHARE", help=f"{text} (default: {chance})"
        )
    parser.add_argument(
        *("--start",),
        dest="first",
        type=moment,
        default=moment("2026-01-01"),
        metavar="TIME",
        help="the first hour in which events are received, in UTC (default: 2026-01-01)",
    )


def generate(arguments: Arguments) -> int:
    """Write the files that are not there yet."""
    from loader.core.synthetic import file

    shape = shape_of(arguments)
    store, layout = _target(arguments)
    stored_bytes = kept = 0
    with progress() as told:
        told.step(f"writing to {store.url}", total=shape.files, unit="files")
        for index in range(shape.files):
            key, lines = file(shape, index)
            data = gzip.compress(lines, compresslevel=6, mtime=0)  # without a time the same lines give the same bytes
            kept += not _created(store, f"{placed(key, layout)}.gz", data)
            stored_bytes += len(data)
            told.advance(1, events=shape.events * (index + 1) // shape.files - shape.events * index // shape.files)
    found = Generated(store.url, shape.files, shape.events, stored_bytes, kept)
    answer(arguments, found, lambda: generated_page(found, into_source=arguments.to is None))
    return 0


def shape_of(arguments: Arguments) -> "Shape":
    """Return what to generate. Raises ConfigError where the shares are more than all events."""
    from loader.core.synthetic import Shape

    try:
        ends_at = arguments.first + timedelta(days=arguments.days + 1)
    except OverflowError:
        ends_at = None
    if ends_at is None or arguments.first.year < 1970:
        raise ConfigError("--start and --days must stay between the years 1970 and 9999; change one of them")
    names = [name.replace("-", "_") for name, *_ in (*NUMBERS, *SHARES)]
    if arguments.duplicates + arguments.dirty + arguments.conflicts + arguments.late > 1:
        raise ConfigError("--duplicates, --dirty, --conflicts and --late are together above 1; lower one of them")
    return Shape(start=arguments.first, **{name: getattr(arguments, name) for name in names})


def placed(key: str, layout: str | None) -> str:
    """Return where a source with that layout looks for the file; without a layout the key as it is.

    >>> placed("2026-01-31/05/events-0000.jsonl", "log/{yyyy}{mm}{dd}T{hh}-")
    'log/20260131T05-events-0000.jsonl'
    """
    if layout is None:
        return key
    day, hour, name = key.split("/")
    year, month, date = day.split("-")
    day_ms = round(moment(day).timestamp() * 1000)
    for word, value in {"yyyy": year, "mm": month, "dd": date, "hh": hour, "day_ms": str(day_ms)}.items():
        layout = layout.replace(f"{{{word}}}", value)
    return layout + name


def generated_page(found: Generated, *, into_source: bool) -> Page:
    """Tell how much was written."""
    page: list[str | Line] = [
        f"{amount(found.events, 'event')} in {amount(found.files, 'file')}, {size(found.stored_bytes)}, in {found.url}"
    ]
    if found.kept:
        page.append(Line(f"{amount(found.kept, 'file')} of them were there already, and stay as they are", "faint"))
    return [*page, "next: `loader load`"] if into_source else page


def _target(arguments: Arguments) -> tuple["Store", str | None]:
    from loader.storage import connect

    if arguments.to is not None:
        return connect(arguments.to, base=Path.cwd()), None
    config = settings(arguments)
    names = chosen(config, ())
    if arguments.source is None and len(names) > 1:
        raise ConfigError(
            f"loader.toml has the sources {', '.join(names)}; name one with --source, or write --to FOLDER"
        )
    name = known(config, arguments.source or names[0])
    source = config.sources[name]
    layout = source.layout and source.layout.replace("{source}", name)
    return connect(source.url, access=source.access, base=config.base), layout


def _created(store: "Store", key: str, data: bytes) -> bool:
    """Write the file unless it is there. Raises StorageError where other bytes are there."""
    from loader.core.objects import load_bytes

    if store.create(key, data):
        return True
    if load_bytes(store, key) != data:
        raise StorageError(
            f"{store.url}/{key} exists with other content and was left as it is; "
            "choose another --start or folder, or remove it"
        )
    return False
