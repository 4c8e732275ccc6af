"""The `loader` command: reads the command line, runs one command, and says what went wrong.

Exit codes: 0 done; 1 something failed; 2 wrong usage or settings, nothing was done; 130 interrupted.
"""

import os
import signal
import sys
import threading
import traceback
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper

from loader.commands import (
    bad_input,
    compacting,
    demo,
    generating,
    loading,
    mending,
    planning,
    setup,
    state,
    syncing,
    tools,
)
from loader.commands.arguments import Arguments, globals_of
from loader.commands.output import answer_json, complain, documents, open_streams, say, show
from loader.commands.settings import secrets, settings
from loader.commands.words import one_line
from loader.errors import ConfigError, LoaderError

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
EXAMPLES = """\
first steps, without a cloud:
  loader init        write loader.toml, with every setting explained
  loader generate    write synthetic events into the folder of the source
  loader load        load them; run it again and only new files are loaded
  loader tables      see what is there
  loader demo        all of that at once, in a folder of its own

`loader COMMAND --help` says more about a command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code. Wrong usage ends the process, as argparse does."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # or numpy starts a thread per core, for nothing: 0.1 s of CPU
    open_streams()
    if threading.current_thread() is threading.main_thread():
        # As Ctrl-C: what is under way ends, and nothing stays locked or open.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no error
    return run(parser().parse_args(argv, namespace=Arguments()))


def run(arguments: Arguments) -> int:
    """Run the command that the arguments name and return the exit code; every error becomes one line.

    It is a JSON document too, where one was asked for and none was printed yet.
    """
    before = documents()
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        say("loader: interrupted; nothing is lost: the same command continues where this one stopped")
        return INTERRUPTED
    except Exception as error:
        known = isinstance(error, LoaderError)
        text = str(error) if known else _unexpected(error, arguments)
        complain(text)
        _trace(arguments)
        if arguments.json and documents() == before:
            answer_json({"error": text})
        return WRONG if isinstance(error, ConfigError) else FAILED


def parser() -> ArgumentParser:
    """Return the parser of the whole command line."""
    whole = ArgumentParser(
        prog="loader",
        description="Load Segment-style event files into typed warehouse tables, exactly once.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    globals_of(whole)
    whole.set_defaults(run=lambda arguments: _no_command(whole, arguments))
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    for topic in (setup, generating, planning, loading, state, bad_input, mending, compacting, syncing, tools, demo):
        topic.add(commands)
    return whole


def _no_command(whole: ArgumentParser, arguments: Arguments) -> int:
    if not arguments.version:
        whole.error("name a command; `loader --help` lists them")
    from importlib.metadata import PackageNotFoundError, version

    try:
        show([f"loader {version('warehouse-loader')}"])
    except PackageNotFoundError:
        show(["loader (run from its source, not installed)"])
    return DONE


def _unexpected(error: Exception, arguments: Arguments) -> str:
    text = one_line(_without_secrets(str(error), arguments))[:300]
    hint = "" if arguments.debug else "; run again with --debug for the traceback"
    return f"unexpected {type(error).__name__}: {text or 'no message'}{hint}"


def _without_secrets(text: str, arguments: Arguments) -> str:
    hidden = [os.environ.get(name, "") for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")]
    with suppress(LoaderError):
        hidden += secrets(settings(arguments))
    for secret in filter(None, hidden):
        text = text.replace(secret, "***")
    return text


def _trace(arguments: Arguments) -> None:
    if arguments.debug:
        traceback.print_exc()
