"""Ports for servers that must be told theirs."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved() -> Iterator[int]:
    """Yield a port of 127.0.0.1 that the system gives to nobody else during the block.

    It is bound, and not listened at: Linux lets a server that reuses addresses, as all of ours do, listen there.
    Elsewhere the port is only free at the time of asking.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
        if sys.platform != "linux":
            held.close()
        yield port
