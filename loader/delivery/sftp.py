"""Files on an SFTP server: written under another name, then renamed, so that nobody reads half of one.

The server's key must be known beforehand (`ssh-keyscan HOST` shows it): who is met for the first time is not trusted.
Each file has a connection of its own: parts are large, and a connection that waits for the next one may be gone then.
"""

import asyncio
import socket
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec

from loader.core.http import Request, Response
from loader.delivery.client import ConnectionFailedError
from loader.errors import ConfigError, DestinationError

if TYPE_CHECKING:
    import asyncssh

_CONNECT_SECONDS = 20.0


class Sftp:
    """A folder on an SFTP server."""

    def __init__(
        self, url: str, *, host_key: str | None, password: str | None, private_key: str | None, private: bool
    ) -> None:
        found = urlsplit(url)
        if not (found.hostname and found.username and host_key and (password or private_key)):
            text = "write sftp://user@host/folder, and set `host_key` and one of `password` and `private_key`"
            raise ConfigError(f"sftp://{found.hostname or ''}: {text}")
        self._host, self._port, self._user = found.hostname, found.port or 22, unquote(found.username)
        self._host_key, self._password, self._private_key = host_key, password, private_key
        self._private = private

    def send(self, request: Request, _: Mapping[str, str]) -> Response:
        """Write a file; twice is as once. Raises ConnectionFailedError, and DestinationError for what is no retry's."""
        try:
            import asyncssh
        except ImportError as error:
            raise ConfigError("sftp:// needs asyncssh; pip install 'warehouse-loader[sftp]'") from error
        try:
            asyncio.run(self._written(PurePosixPath(unquote(urlsplit(request.url).path)), request.body))
        except asyncssh.HostKeyNotVerifiable as error:
            raise DestinationError(f"{self._host} has another key than `host_key`: {error.reason}") from error
        except asyncssh.PermissionDenied:
            return _refused(401, f"{self._host} does not let {self._user} in")
        except asyncssh.SFTPPermissionDenied as error:
            return _refused(403, f"{self._host}: {error.reason}")
        except asyncssh.SFTPError as error:
            return _refused(503, f"{self._host}: {error.reason}")
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise DestinationError(f"a key for {self._host} cannot be read: {error}") from error
        except (asyncssh.Error, OSError) as error:
            raise ConnectionFailedError(f"{self._host}: {type(error).__name__}: {error}", sent=True) from error
        return Response(200, {}, b"")

    async def _written(self, path: PurePosixPath, data: bytes) -> None:
        async with self._connected() as connection, connection.start_sftp_client() as client:
            await client.makedirs(str(path.parent), exist_ok=True)
            unfinished = str(path.with_name(f".{path.name}.unfinished"))
            async with client.open(unfinished, "wb") as file:
                await file.write(data)
            await _renamed(client, unfinished, str(path))

    def _connected(self) -> Any:
        import asyncssh

        keys = [asyncssh.import_private_key(self._private_key)] if self._private_key else []
        trusted = asyncssh.import_public_key(self._host_key)
        return asyncssh.connect(
            self._address(),
            self._port,
            username=self._user,
            password=self._password,
            client_keys=keys,
            known_hosts=([trusted], [], []),
            config=[],  # nothing of this machine's own ssh
            agent_path=None,
            connect_timeout=_CONNECT_SECONDS,
            login_timeout=_CONNECT_SECONDS,
        )

    def _address(self) -> str:
        """Return the address to connect to, checked as that of an HTTP host is."""
        found = [str(each[4][0]) for each in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)]
        chosen = next((each for each in found if self._private or ip_address(each).is_global), None)
        if chosen is None:
            raise DestinationError(f"{self._host} is in a private network; set `private = true` if that is meant")
        return chosen


async def _renamed(client: "asyncssh.SFTPClient", old: str, new: str) -> None:
    """Rename, over what is there: OpenSSH can at once; where a server cannot, the same bytes are away for a moment."""
    import asyncssh

    try:
        await client.posix_rename(old, new)
    except asyncssh.SFTPOpUnsupported:
        if await client.exists(new):
            await client.remove(new)
        await client.rename(old, new)


def _refused(status: int, message: str) -> Response:
    return Response(status, {}, msgspec.json.encode({"message": message}))
