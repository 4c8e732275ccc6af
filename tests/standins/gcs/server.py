"""HTTP before the Cloud Storage stand-in: requests as values, answers as values, and who may ask."""

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, unquote, urlsplit

from standins.gcs import json_api, xml_api
from standins.gcs.answers import Answer, Request
from standins.gcs.bucket import Buckets, Meta, RefusedError
from standins.gcs.tokens import Keys


@dataclass(frozen=True, slots=True)
class Cloud:
    """A running stand-in: where it is, and what it holds."""

    endpoint: str
    buckets: Buckets
    requests: list[Request] = field(default_factory=list)  # as they come, bodies left out

    def put(self, bucket: str, name: str, data: bytes, **meta: str) -> None:
        """Put an object under a name that our own client might refuse."""
        self.buckets.put(bucket, name, data, Meta(**meta), json_api.NONE)  # type: ignore[arg-type]  # strings only

    def data(self, bucket: str, name: str) -> bytes:
        """Return an object's bytes as stored."""
        return self.buckets.get(bucket, name).data


@contextmanager
def serve(*buckets: str, keys: Keys | None = None, location: str = "US") -> Iterator[Cloud]:
    """Yield a Cloud Storage with these empty buckets; with `keys`, requests need a token of one of their accounts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    cloud = Cloud(f"http://127.0.0.1:{server.server_port}", Buckets(buckets, location))
    server.RequestHandlerClass = _handler(cloud, keys)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()


def _answer(cloud: Cloud, keys: Keys | None, request: Request) -> Answer:
    answer, refusal = (json_api.answer, json_api.refusal) if request.is_json else (xml_api.answer, xml_api.refusal)
    try:
        if keys is not None and request.path == "/token":
            return keys.exchange(request, cloud.endpoint)
        if keys is not None and not request.resumes:
            keys.check(request)
        return answer(cloud.buckets, request)
    except RefusedError as error:
        return refusal(error)


def _handler(cloud: Cloud, keys: Keys | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # header and body in one packet, or each request takes 45 ms
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            request = _request(self)
            cloud.requests.append(request.without_body())
            _send(self, request, _answer(cloud, keys, request))

    return Handler


def _request(handler: BaseHTTPRequestHandler) -> Request:
    url = urlsplit(handler.path)
    headers = {name.lower(): value for name, value in handler.headers.items()}
    body = b"".join(_body(handler, headers))
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    return Request(handler.command, url.path, unquote(url.path), query, headers, body)


def _body(handler: BaseHTTPRequestHandler, headers: dict[str, str]) -> Iterator[bytes]:
    if headers.get("expect", "").lower() == "100-continue":
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        handler.wfile.flush()
    if "chunked" in headers.get("transfer-encoding", ""):
        while size := int(handler.rfile.readline().split(b";")[0], 16):
            yield handler.rfile.read(size)
            handler.rfile.readline()
        handler.rfile.readline()
    else:
        yield handler.rfile.read(int(headers.get("content-length") or 0))


def _send(handler: BaseHTTPRequestHandler, request: Request, answer: Answer) -> None:
    body, headers, status = answer.body, dict(answer.headers), answer.status
    found = answer.media
    chunked = False
    if found is not None:
        headers |= {
            "ETag": found.etag,
            "Last-Modified": format_datetime(found.updated_at, usegmt=True),
            "Content-Type": found.meta.content_type,
            "x-goog-generation": str(found.generation),
            "x-goog-stored-content-length": str(len(found.data)),
            "x-goog-stored-content-encoding": found.meta.content_encoding or "identity",
        }
        body, status, chunked, more = _media(request, found.data, found.meta)
        headers |= more
    handler.send_response_only(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))))
    handler.end_headers()
    if request.method != "HEAD" and status not in (204, 304):
        handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked and body else body)
    handler.wfile.flush()


def _media(request: Request, data: bytes, meta: Meta) -> tuple[bytes, int, bool, dict[str, str]]:
    """Return the body of a download, its status, whether it has no length, and its headers."""
    packed = meta.content_encoding == "gzip"
    accepts = "gzip" in request.headers.get("accept-encoding", "") or "no-transform" in (meta.cache_control or "")
    if packed and not accepts:
        return gzip.decompress(data), 200, True, {"warning": '214 UploadServer "gunzipped"'}
    headers = {"Content-Encoding": meta.content_encoding} if meta.content_encoding else {}
    span = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if span is None or not (span[1] or span[2]):
        return data, 200, False, headers
    start = int(span[1]) if span[1] else max(len(data) - int(span[2]), 0)
    stop = min(int(span[2]) + 1, len(data)) if span[1] and span[2] else len(data)
    if start >= len(data) or stop <= start:
        raised = RefusedError(416, "requestedRangeNotSatisfiable", "The requested range cannot be satisfied.")
        return str(raised).encode(), 416, False, {"Content-Range": f"bytes */{len(data)}"}
    return data[start:stop], 206, False, {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
