"""Files on a real SFTP server on loopback: its key is checked, and nobody ever sees half a file under its name."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
import pytest
from contract.project import project

from loader.core.http import Request
from loader.delivery.client import ConnectionFailedError
from loader.delivery.sftp import Sftp
from loader.errors import ConfigError, DestinationError

OWN, OTHER, MINE = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(3))
PASSWORD = "opensesame"


@dataclass(slots=True)
class Server:
    """A running server, what was done in it, and what goes wrong."""

    root: Path
    port: int = 0
    done: list[str] = field(default_factory=list)
    broken: dict[str, list[Exception]] = field(default_factory=dict)  # by operation: the next times it is asked for

    def happens(self, what: str, path: bytes) -> None:
        if self.broken.get(what):
            raise self.broken[what].pop(0)
        self.done.append(f"{what} {Path(path.decode()).name}")


class Files(asyncssh.SFTPServer):
    """The file side of the server."""

    def __init__(self, channel: Any, server: Server) -> None:
        super().__init__(channel, chroot=str(server.root).encode())
        self._server = server

    def open(self, path: bytes, pflags: int, attrs: Any) -> object:
        self._server.happens("open", path)
        return super().open(path, pflags, attrs)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        self._server.happens("replace", newpath)
        return super().posix_rename(oldpath, newpath)

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        self._server.happens("rename", newpath)
        return super().rename(oldpath, newpath)


class Door(asyncssh.SSHServer):
    """Who is let in: ana, with the password or with her key."""

    def begin_auth(self, _username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("ana", PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "ana" and key.public_data == MINE.public_data


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found, loop, ready = Server(tmp_path / "root"), asyncio.new_event_loop(), Future[Any]()
    found.root.mkdir()

    async def listen() -> None:
        serve = lambda channel: Files(channel, found)  # noqa: E731  # it needs a callable
        listening = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Door, server_host_keys=[OWN], sftp_factory=serve
        )
        ready.set_result(listening)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(listen(), loop).result(20)
    found.port = ready.result().get_port()
    try:
        yield found
    finally:
        asyncio.run_coroutine_threadsafe(_closed(ready.result()), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _closed(listening: asyncssh.SSHAcceptor) -> None:
    listening.close()
    await listening.wait_closed()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    if rest:
        await asyncio.wait(rest, timeout=5)


def words(key: asyncssh.SSHKey) -> str:
    """Return a public key as `ssh-keyscan` shows it."""
    return key.export_public_key().decode().strip()


def client(server: Server, **changes: Any) -> Sftp:
    given = {"host_key": words(OWN), "password": PASSWORD, "private_key": None, "private": True, **changes}
    return Sftp(f"sftp://ana@127.0.0.1:{server.port}/drop", **given)


def put(server: Server, name: str = "vip/run1/part.csv", data: bytes = b"a,b\n") -> Request:
    return Request("PUT", f"sftp://ana@127.0.0.1:{server.port}/drop/{name}", body=data)


def test_a_sync_leaves_whole_parts_and_then_the_manifest(server: Server, tmp_path: Path) -> None:
    with project("files", tmp_path) as made:
        none = dict.fromkeys(("endpoint", "region", "access_key_id", "secret_access_key", "path_style"))
        made.tool |= {**none, "url": f"sftp://ana@127.0.0.1:{server.port}/drop", "host_key": words(OWN)}
        made.tool["password"] = PASSWORD
        made.audience(made.people(range(5)))  # in two parts
        done = made.sync()
        assert (done.state, done.confirmed) == ("success", 5), done
        (run,) = (server.root / "drop" / "vip").iterdir()
        manifest = msgspec.json.decode((run / "manifest.json").read_bytes())
        parts = {each["name"]: each["rows"] for each in manifest["parts"]}
        assert sorted(parts.values()) == [2, 3]
        assert {path.name for path in run.iterdir()} == {*parts, "manifest.json"}
        held = [msgspec.json.decode(line)["key"] for name in parts for line in (run / name).read_bytes().splitlines()]
        assert sorted(held) == ["u0", "u1", "u2", "u3", "u4"]
        assert server.done[-2:] == ["open .manifest.json.unfinished", "replace manifest.json"]
        assert [what for what in server.done if what.startswith("open") and ".unfinished" not in what] == []


def test_a_key_lets_in_and_a_file_is_replaced_by_the_same(server: Server) -> None:
    known = client(server, password=None, private_key=MINE.export_private_key().decode())
    for data in (b"1", b"2"):
        assert known.send(put(server, data=data), {}).status == 200
    assert (server.root / "drop/vip/run1/part.csv").read_bytes() == b"2"


def test_a_server_that_cannot_replace_renames(server: Server) -> None:
    server.broken["replace"] = [asyncssh.SFTPOpUnsupported("no") for _ in range(2)]
    for data in (b"1", b"2"):
        assert client(server).send(put(server, data=data), {}).status == 200
    assert (server.root / "drop/vip/run1/part.csv").read_bytes() == b"2"
    assert server.done.count("rename part.csv") == 2


def test_a_server_with_another_key_is_told_nothing(server: Server) -> None:
    with pytest.raises(DestinationError, match="has another key than `host_key`"):
        client(server, host_key=words(OTHER)).send(put(server), {})
    assert server.done == []


@pytest.mark.parametrize(
    "wrong", [{"password": "wrong"}, {"password": None, "private_key": "other"}], ids=["word", "key"]
)
def test_who_is_not_let_in_is_told_so(server: Server, wrong: dict[str, Any]) -> None:
    if wrong.get("private_key"):
        wrong = {**wrong, "private_key": OTHER.export_private_key().decode()}
    found = client(server, **wrong).send(put(server), {})
    assert (found.status, found.json["message"]) == (401, "127.0.0.1 does not let ana in")
    assert PASSWORD not in str(found)


@pytest.mark.parametrize(
    ("error", "status"),
    [(asyncssh.SFTPPermissionDenied("not here"), 403), (asyncssh.SFTPFailure("no space left"), 503)],
    ids=["no permission", "a full disk"],
)
def test_a_file_that_cannot_be_finished_is_not_there(server: Server, error: Exception, status: int) -> None:
    server.broken["replace"] = [error]
    assert client(server).send(put(server), {}).status == status
    assert not (server.root / "drop/vip/run1/part.csv").exists()
    assert client(server).send(put(server), {}).status == 200, "and the next try finishes it"


def test_a_server_that_is_not_there_is_no_answer() -> None:
    there = Sftp("sftp://ana@127.0.0.1:1/x", host_key=words(OWN), password="x", private_key=None, private=True)
    with pytest.raises(ConnectionFailedError, match=r"127\.0\.0\.1"):
        there.send(Request("PUT", "sftp://ana@127.0.0.1:1/x/y", body=b""), {})


def test_settings_that_cannot_be_used_are_told(server: Server) -> None:
    with pytest.raises(ConfigError, match="`host_key`"):
        client(server, host_key=None)
    with pytest.raises(DestinationError, match="cannot be read"):
        client(server, host_key="nonsense").send(put(server), {})
    with pytest.raises(DestinationError, match="private network"):
        client(server, private=False).send(put(server), {})
