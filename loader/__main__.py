"""`python -m loader` is the `loader` command."""

import os
import sys
from contextlib import suppress

from loader.cli import INTERRUPTED, main


def start() -> None:
    """Run the command, and end the process with its exit code."""
    code = main()
    if code == INTERRUPTED:  # Python would wait for threads that wait for a server; all that must be said is said
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":  # worker processes import this module too
    start()
