"""A sync against the shipped fake instead of the tool: to watch it before there is a token.

It has a ledger of its own, empty every time, so the real one is not touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from msgspec.structs import replace

from loader.config import Config, Endpoint, Secret
from loader.config.values import Duration, Frequency
from loader.core.masking import masked_value
from loader.core.results import Progress
from loader.core.sync_results import SyncResult
from loader.errors import ConfigError
from loader.ledger import syncs as ledger
from loader.rehearsal.serving import Server, served
from loader.sync.edges import open_edges
from loader.sync.flow import sync

_SHOWN = 3
_AT_ONCE = Frequency(1_000_000, 1)  # there is nobody to spare


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a sync did to the fake."""

    first: SyncResult
    second: SyncResult  # at once after it: it sends nothing
    held: int  # members that the fake holds at the end
    sample: tuple[Any, ...]  # some of them, personal data masked
    requests: tuple[tuple[str, int], ...]  # method and path, how often


def rehearse(config: Config, name: str, progress: Progress) -> Rehearsal:
    """Run a sync twice against its fake, and tell what the fake holds then. Raises ConfigError where there is none."""
    edges = open_edges(config, name)
    fake = import_module(f"loader.rehearsal.{edges.endpoint.common.kind}")
    with served(fake.Fake()) as server:
        own = "rehearsal-" + name
        endpoint = rehearsed(edges.endpoint, fake.settings(server.url))
        there = replace(edges.sync, destination=own, guard=replace(edges.sync.guard, allow_empty=True))
        changed = replace(config, syncs={own: there}, destinations={own: endpoint})
        with edges.door.session() as inside:
            ledger.forget(inside, own)
        edges.door.close()
        results = []
        for _ in range(2):
            results += sync(changed, own, resync=False, approve=None, retry=None, progress=progress)
        return _told(server, results[0], results[-1])


def rehearsed(endpoint: Endpoint, settings: Mapping[str, Any]) -> Endpoint:
    """Return the destination with the settings of the fake, which is on this machine."""
    kinds = type(endpoint.own).__annotations__
    unknown = settings.keys() - kinds.keys()
    if unknown:
        raise ConfigError(
            f"the fake of {endpoint.common.kind} speaks of settings that there are not: {sorted(unknown)}"
        )
    values = {name: Secret(value) if "Secret" in str(kinds[name]) else value for name, value in settings.items()}
    common = replace(endpoint.common, private=True, rate=_AT_ONCE, poll=Duration())
    return replace(endpoint, common=common, own=replace(endpoint.own, **values))


def _told(server: Server, first: SyncResult, second: SyncResult) -> Rehearsal:
    held, calls = server.fake.held(), dict[str, int]()
    for seen in server.seen:
        what = f"{seen.method} {seen.path}"
        calls[what] = calls.get(what, 0) + 1
    most = sorted(calls.items(), key=lambda each: -each[1])[:10]
    sample = tuple(masked_value({"as": name, **dict(fields)}) for name, fields in list(held.items())[:_SHOWN])
    return Rehearsal(first, second, len(held), sample, tuple(most))
