"""HTTP, one connection per thread. It follows no redirect, and tells what was sent from what was not.

An address that is not on the public internet (loopback, private, link-local) is refused unless `private` allows it:
the url of a webhook is a setting, and must not become a way into the network that this runs in. The address that was
checked is the one that is connected to, so a name cannot change in between.
"""

import http.client
import select
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from loader.core.http import Request, Response, content
from loader.errors import DestinationError, LoaderError

_CONNECT_SECONDS, _MAX_ANSWER_BYTES = 10.0, 64 * 1024 * 1024
_AGENT = "warehouse-loader"
_Place = tuple[str, str, int]  # scheme, host, port


class ConnectionFailedError(LoaderError):
    """No answer. `sent`: whether the tool may have received the request."""

    transient = True

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Client:
    """Connections to the hosts of one destination. Calls may come from several threads."""

    def __init__(self, *, private: bool, timeout_seconds: float) -> None:
        self._private, self._timeout_seconds = private, timeout_seconds
        self._contexts: list[ssl.SSLContext] = []  # none or one: reading the certificates takes a while
        self._connections: defaultdict[int, dict[_Place, http.client.HTTPConnection]] = defaultdict(dict)

    def send(self, request: Request, headers: Mapping[str, str]) -> Response:
        """Send once and return the answer, whatever its status. Raises ConnectionFailedError."""
        address = urlsplit(request.url)
        place = (address.scheme, address.hostname or "", address.port or (443 if address.scheme == "https" else 80))
        body, kind = content(request)
        names = {"User-Agent": _AGENT, **({"Content-Type": kind} if kind else {}), **headers, **request.headers}
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection = self._connected(place)
        try:
            connection.request(request.method, target, body, names)
            answer = connection.getresponse()
            data = answer.read(_MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ConnectionFailedError(_told(place[1], error), sent=True) from error
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, data)

    def close(self) -> None:
        """Close what is open. Twice is fine."""
        for known in self._connections.values():
            for connection in known.values():
                with suppress(OSError):
                    connection.close()

    def _connected(self, place: _Place) -> http.client.HTTPConnection:
        """Return this thread's connection to a place, open. One that the other side has closed is opened anew."""
        known = self._connections[threading.get_ident()]
        there = known.get(place)
        if there is None or there.sock is None or _stale(there.sock):
            there = known[place] = self._open(*place)
        return there

    def _open(self, scheme: str, host: str, port: int) -> http.client.HTTPConnection:
        if scheme != "https" and not (scheme == "http" and self._private):
            raise DestinationError(f"{scheme}://{host} is not https://; set `private = true` for a place of your own")
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            chosen = next((each for each in found if self._private or ip_address(each[4][0]).is_global), None)
            if chosen is None:
                raise DestinationError(f"{host} is in a private network; set `private = true` if that is meant")
            plain = socket.create_connection((str(chosen[4][0]), port), timeout=_CONNECT_SECONDS)
            plain.settimeout(self._timeout_seconds)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = self._trusting().wrap_socket(plain, server_hostname=host) if scheme == "https" else plain
        except ssl.SSLCertVerificationError as error:
            raise DestinationError(f"{host}: its certificate is not to be trusted: {error.verify_message}") from error
        except OSError as error:
            raise ConnectionFailedError(_told(host, error), sent=False) from error
        connection = http.client.HTTPConnection(host, port)
        connection.sock = sock
        return connection

    def _trusting(self) -> ssl.SSLContext:
        if not self._contexts:
            self._contexts.append(ssl.create_default_context())
        return self._contexts[0]


def _stale(sock: socket.socket) -> bool:
    """Whether the other side has closed an idle connection, so that a request on it would be lost."""
    readable, _, _ = select.select([sock], [], [], 0)
    return bool(readable)  # between answers there is nothing to read but the end


def _told(host: str, error: Exception) -> str:
    return f"{host}: {type(error).__name__}: {error}" if str(error) else f"{host}: {type(error).__name__}"
