"""S3 on 127.0.0.1: moto behind real HTTP, and a server that refuses everything and remembers who asked.

moto checks neither signatures nor permissions, so what a refusal does is tested against the second. It sorts the
whole bucket for every page of a listing: keep to a few thousand keys.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import quote
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer

BUCKET = "events"
REGION = "us-east-1"


@contextmanager
def serve(*buckets: str) -> Iterator[str]:
    """Yield the endpoint of an S3 that has these empty buckets, or BUCKET. One at a time: moto's state is global."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        _send(f"{endpoint}/moto-api/reset", "POST")
        for bucket in buckets or (BUCKET,):
            _send(f"{endpoint}/{bucket}", "PUT")
        yield endpoint
    finally:
        server.stop()


@contextmanager
def heard() -> Iterator[list[str]]:
    """Yield the requests that the server answers from here on, such as `GET /events?prefix=a`, as they come."""
    log, listener = logging.getLogger("werkzeug"), _Listener()
    log.addHandler(listener)
    log.setLevel(logging.INFO)
    try:
        yield listener.requests
    finally:
        log.setLevel(logging.ERROR)
        log.removeHandler(listener)


class _Listener(logging.Handler):
    """Keeps the request out of each line that werkzeug logs."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.requests += re.findall(r"([A-Z]+ /\S*) HTTP/", record.getMessage())


def put(endpoint: str, key: str, data: bytes, *, bucket: str = BUCKET) -> None:
    """Put an object under a key that our own client might refuse."""
    _send(f"{endpoint}/{bucket}/{quote(key)}", "PUT", data)


def _send(url: str, method: str, data: bytes = b"") -> None:
    # urllib would call the body a form, and moto would wait for the rest of it.
    # Without somebody's name moto refuses to put an object twice.
    who = "AWS4-HMAC-SHA256 Credential=somebody/20260101/us-east-1/s3/aws4_request"
    headers = {"Content-Type": "application/octet-stream", "Authorization": who}
    with urlopen(Request(url, data=data, method=method, headers=headers), timeout=10):
        pass


@contextmanager
def refuse(status: int, code: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield an endpoint that answers every request so, and the headers of the requests it got, in lower case."""
    seen: list[dict[str, str]] = []
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><AWSAccessKeyId>AKIDKEY</AWSAccessKeyId></Error>"
    server = ThreadingHTTPServer(("127.0.0.1", 0), _refusal(status, body.encode(), seen))
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


def _refusal(status: int, body: bytes, seen: list[dict[str, str]]) -> type[BaseHTTPRequestHandler]:
    class Refusal(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # header and body in one packet, or each request takes 45 ms
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response_only(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)
            self.wfile.flush()

    return Refusal
