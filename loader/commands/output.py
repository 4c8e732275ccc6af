"""Where answers go: standard output for the answer, standard error for what is said on the way.

A reader that leaves (`loader tables | head`) is no error and stops no load: what is written after that is dropped.
"""

import os
import sys
from collections.abc import Callable
from typing import TextIO

from loader.commands.arguments import Arguments
from loader.commands.page import Page, plain
from loader.commands.words import one_line
from loader.errors import StorageError

_documents: list[int] = []  # bytes of each


def answer(arguments: Arguments, found: object, page: Callable[[], Page]) -> None:
    """Print what was found: as one JSON document where that was asked for, else as the page."""
    if arguments.json:
        answer_json(found)
    else:
        show(page())


def answer_json(found: object) -> None:
    """Print records as one JSON document on a line; times are ISO 8601."""
    import msgspec

    document = msgspec.json.encode(found) + b"\n"
    _documents.append(len(document))
    _guarded(sys.stdout, lambda: sys.stdout.buffer.write(document))


def documents() -> int:
    """Return how many JSON documents this process has printed."""
    return len(_documents)


def show(page: Page) -> None:
    """Print the page: with colours on a terminal, as aligned text elsewhere."""
    if on_terminal(sys.stdout):
        from loader.commands.terminal import colourful

        text = colourful(page)
    else:
        text = plain(page)
    _guarded(sys.stdout, lambda: sys.stdout.write(text))


def say(text: str) -> None:
    """Print one line on standard error."""
    _guarded(sys.stderr, lambda: sys.stderr.write(f"{one_line(text)}\n"))


def complain(text: str) -> None:
    """Print an error as one line on standard error."""
    say(f"loader: {text}")


def on_terminal(stream: TextIO) -> bool:
    """Whether someone watches who sees colours and movement."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def open_streams() -> None:
    """Open the standard streams that the process was started without: the next file would take their place."""
    for name, flags in (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), "r" if name == "stdin" else "w"))


def _guarded(stream: TextIO, write: Callable[[], object]) -> None:
    try:
        write()
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # or the interpreter complains of the rest
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            raise StorageError(
                f"the answer could not be written: {error.strerror}; what it tells of is done"
            ) from error
