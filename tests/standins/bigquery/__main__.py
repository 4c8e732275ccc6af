"""The server as a process of its own, for benchmarks: `python -m standins.bigquery` prints where it listens.

It ends with its standard input.
"""

import sys

from standins.bigquery import serve


def main() -> None:
    """Serve until nobody wants anything."""
    with serve() as standin:
        print(standin.endpoint, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
