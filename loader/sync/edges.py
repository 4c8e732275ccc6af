"""What a sync touches: its settings, its tool, the warehouse. Opened from the configuration, in one place."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from loader.config import Access, Config, Endpoint, Secret, Sync
from loader.core.audience import Mode
from loader.core.destination import Destination, Limits, Rate
from loader.core.http import Request, Response
from loader.core.settings import Record
from loader.core.warehouse import Row, Session, Warehouse
from loader.delivery.client import Client, ConnectionFailedError
from loader.delivery.exchange import Exchange, Patience, Send
from loader.delivery.pace import Pace
from loader.delivery.sftp import Sftp
from loader.errors import AccessError, ConfigError, StorageError
from loader.load.edges import connected, warehouse
from loader.load.retrying import retried
from loader.storage import connect, prepare

Tool = Destination[Record]
T = TypeVar("T")


class Door:
    """The warehouse, opened when it is needed and closed before anything slow: DuckDB lets one process in.

    Only one thread uses it.
    """

    def __init__(self, config: Config) -> None:
        self._config, self._open = config, ExitStack()
        self._warehouse: list[Warehouse] = []  # none or one
        self._prepared = False

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a transaction; the warehouse stays open after it, until `close`."""
        if not self._warehouse:
            opened = connected(self._config) if self._prepared else warehouse(self._config)
            self._warehouse.append(self._open.enter_context(opened))
            self._prepared = True  # the tables of the ledger are there from now on
        with self._warehouse[0].session() as inside:
            yield inside

    def run(self, work: Callable[[Session], T]) -> T:
        """Do work that is the same when it is done twice in a transaction; again, where the warehouse is busy."""

        def once() -> T:
            with self.session() as inside:
                return work(inside)

        return retried(once)

    def rows(self, query: str, values: Sequence[object]) -> list[Row]:
        """Return what a query finds."""
        return self.run(lambda inside: inside.execute(query, values))

    def close(self) -> None:
        """Let others in. Twice is fine."""
        self._warehouse.clear()
        self._open.close()


@dataclass(frozen=True, slots=True)
class Edges:
    """One sync of one configuration."""

    config: Config
    name: str
    sync: Sync
    endpoint: Endpoint
    tool: Tool
    door: Door

    @property
    def mode(self) -> Mode:
        return Mode(self.sync.mode)

    @property
    def limits(self) -> Limits:
        """The tool's limits, as the settings have them."""
        return narrowed(self.endpoint)

    @property
    def columns(self) -> list[str]:
        """The mapped columns, each once."""
        return list(dict.fromkeys(self.sync.fields.values()))

    @property
    def identity(self) -> list[str]:
        """The columns of identifiers."""
        return [self.sync.fields[name] for name in self.tool.identity if name in self.sync.fields]

    @property
    def mapping(self) -> str:
        """A hash of all that decides how a row is sent, besides the row. No setting of the destination is in it."""
        sync, kind = self.sync, self.endpoint.common.kind
        text = msgspec.json.encode([kind, sync.mode, sorted(sync.fields.items()), sorted(sync.prehashed)])
        return hashlib.sha256(text).hexdigest()[:16]


def open_edges(config: Config, name: str) -> Edges:
    """Return the edges of a sync. Makes no connection."""
    sync = config.syncs.get(name)
    if sync is None:
        known = ", ".join(sorted(config.syncs)) or "none"
        raise ConfigError(f"there is no sync {name!r} in the configuration; known are: {known}")
    endpoint = config.destinations[sync.destination]
    return Edges(config, name, sync, endpoint, endpoint.destination, Door(config))


def narrowed(endpoint: Endpoint) -> Limits:
    """Return the limits of a destination as its settings have them: no wider than the tool's, but for the rate."""
    limits, common = endpoint.destination.limits, endpoint.common
    return replace(
        limits,
        rows=min(limits.rows, common.max_rows or limits.rows),
        concurrency=min(limits.concurrency, common.concurrency or limits.concurrency),
        rates=(Rate(common.rate.number, common.rate.seconds),) if common.rate else limits.rates,
    )


@contextmanager
def exchange(endpoint: Endpoint) -> Iterator[Exchange]:
    """Yield a conversation with a destination, not yet logged in."""
    common, tool = endpoint.common, endpoint.destination
    client = Client(private=common.private, timeout_seconds=common.timeout.total_seconds())
    patience = Patience(seconds=common.patience.total_seconds())
    pace = Pace(_pace_file(endpoint), narrowed(endpoint).rates)
    try:
        yield Exchange(tool, endpoint.own, sender(endpoint.own, client, private=common.private), pace, patience)
    finally:
        client.close()


def sender(own: Record, client: Client, *, private: bool) -> Send:
    """Return what sends requests: over HTTP, or into the folder, bucket or server that the settings' `url` names."""
    url = str(getattr(own, "url", "")).rstrip("/")
    if urlsplit(url).scheme in ("http", "https") or not hasattr(own, "path_style"):
        return client.send
    if urlsplit(url).scheme == "sftp":
        words = {name: _revealed(getattr(own, name)) for name in ("host_key", "password", "private_key")}
        return Sftp(url, private=private, **words).send
    names = [name for name in Access.__struct_fields__ if hasattr(own, name)]
    given = {name: getattr(own, name) for name in names if getattr(own, name) is not None}
    store = connect(url, access=Access(**given) if given else None, base=Path())
    prepare(store)

    def write(request: Request, _: Mapping[str, str]) -> Response:
        try:
            store.write(request.url.removeprefix(f"{url}/"), request.body)
        except AccessError as error:
            return Response(403, {}, msgspec.json.encode({"message": str(error)}))
        except StorageError as error:
            raise ConnectionFailedError(str(error), sent=True) from error
        return Response(200, {}, b"")

    return write


def _revealed(value: str | Secret | None) -> str | None:
    return value.reveal() if isinstance(value, Secret) else value


def _pace_file(endpoint: Endpoint) -> Path:
    """Return the file of an account's pace: the same for all processes of this user that speak to it."""
    own = endpoint.own
    values = [getattr(own, name) for name in own.__struct_fields__]
    secrets = [value.reveal() for value in values if isinstance(value, Secret)]
    account = secrets or [str(value) for value in values]
    digest = hashlib.sha256("\0".join([endpoint.common.kind, *account]).encode()).hexdigest()[:32]
    return Path(tempfile.gettempdir()) / f"warehouse-loader-{Path.home().name}" / digest
