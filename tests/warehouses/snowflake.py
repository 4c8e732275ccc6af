"""Loads into Snowflake as the tests of its adapter need them."""

from typing import Any

from flow import harness
from flow.harness import lines

from loader.config import Config
from loader.errors import WarehouseBusyError
from loader.load.edges import connected


def asked(config: Config, sql: str) -> list[Any]:
    """Return the rows of a query, through the adapter."""
    with connected(config, read_only=True) as opened, opened.session() as session:
        return session.execute(sql)


def carried_out(config: Config) -> None:
    """Load, and again while the connection breaks."""
    for _ in range(5):
        try:
            results = harness.run(config)
        except WarehouseBusyError:
            continue
        if not [each for each in results if each.failed]:
            return
    raise AssertionError("the connection broke five times")


def orders(count: int, start: int = 0, **more: object) -> bytes:
    made = [
        harness.track(messageId=f"m{n}", properties={"n": n, "tags": ["a", n], **more})
        for n in range(start, start + count)
    ]
    return lines(*made)
