"""The REST calls: which there are, and what each does."""

import gzip
import json
import re
import traceback
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from standins.bigquery.answers import STATUS, LostError, RefusalError, refused, row
from standins.bigquery.catalog import PROJECT
from standins.bigquery.faults import Faults
from standins.bigquery.fields import check_names, evolved
from standins.bigquery.jobs import Jobs

_PAGE_ROWS = 10_000
Query = dict[str, str]


class Service:
    """All that the server knows, and its calls."""

    def __init__(self, jobs: Jobs, faults: Faults) -> None:
        self.jobs, self.faults, self.catalog = jobs, faults, jobs.engine.catalog
        self.uploads: dict[str, tuple[dict[str, Any], bytearray]] = {}
        self.requests: list[str] = []

    def answer(self, method: str, path: list[str], query: Query, body: Any, match: str | None) -> Any:
        """Return the answer to a call that carries JSON."""
        place = path.index("projects")
        if path[place + 1] != PROJECT:
            raise RefusalError(
                403, "accessDenied", f"Access Denied: Project {path[place + 1]}: no permission, or no project"
            )
        match (method, path[place + 2 :]):
            case (_, ["datasets", *dataset]) if len(dataset) < 2:
                return self._datasets(method, dataset, query, body)
            case (_, ["datasets", dataset, "tables", *table]):
                return self._tables(method, dataset, table, query, body, match)
            case ("POST", ["jobs"]):
                return self.jobs.submit(body)
            case ("GET", ["jobs", job_id]):
                return self.jobs.job(job_id)
            case ("POST", ["jobs", job_id, "cancel"]):
                return {"job": self.jobs.job(job_id)}
            case ("POST", ["queries"]):
                keys = {"jobId": f"job_{uuid.uuid4().hex}"}
                config = {key: value for key, value in body.items() if key != "labels"}
                wanted = {"query": config, "labels": body.get("labels", {})}
                self.jobs.submit({"jobReference": keys, "configuration": wanted})
                return self._results(keys["jobId"], 0, int(body.get("maxResults") or _PAGE_ROWS))
            case ("GET", ["queries", job_id]):
                start = int(query.get("pageToken") or query.get("startIndex") or 0)
                return self._results(job_id, start, int(query.get("maxResults", _PAGE_ROWS)))
        raise refused(f"Not found: {method} {'/'.join(path)}", reason="notFound")

    def _datasets(self, method: str, rest: list[str], query: Query, body: Any) -> Any:
        match (method, rest):
            case ("POST", []):
                return self.catalog.create_dataset(body["datasetReference"]["datasetId"], body)
            case ("GET", [dataset]):
                return self.catalog.dataset(dataset)
            case ("DELETE", [dataset]):
                return self.catalog.drop_dataset(dataset, contents=query.get("deleteContents") == "true")
        raise refused("Not found: no such call", reason="notFound")

    def _tables(self, method: str, dataset: str, rest: list[str], query: Query, body: Any, match: str | None) -> Any:
        match (method, rest):
            case ("GET", []):
                self.catalog.dataset(dataset)
                found = [each for name, each in self.catalog.tables.items() if name[0] == dataset]
                listed = [{key: each[key] for key in ("tableReference", "id", "type")} for each in found]
                return {"tables": listed, "totalItems": len(listed)}
            case ("POST", []):
                how = {key: value for key, value in body.items() if key not in ("schema", "tableReference")}
                fields = body.get("schema", {}).get("fields", [])
                return self.catalog.create((dataset, body["tableReference"]["tableId"]), fields, **how)
            case ("GET", [table]):
                return self.catalog.shown((dataset, table))
            case ("DELETE", [table]):
                self.catalog.table((dataset, table))
                return self.catalog.drop((dataset, table))
            case ("PATCH" | "PUT", [table]):
                return self._patched((dataset, table), body, match)
            case ("GET", [table, "data"]):
                return self._data(
                    (dataset, table), int(query.get("pageToken") or 0), int(query.get("maxResults", _PAGE_ROWS))
                )
        raise refused("Not found: no such call", reason="notFound")

    def _patched(self, name: tuple[str, str], body: Any, match: str | None) -> Any:
        resource = self.catalog.table(name)
        if match and match != resource["etag"]:
            raise RefusalError(412, "conditionNotMet", "Precondition check failed.")
        self.catalog.count_update(name)
        if "schema" in body:
            given, where = body["schema"]["fields"], f"{PROJECT}:{name[0]}.{name[1]}"
            check_names(given)
            old = self.catalog.fields(name)
            self.catalog.apply(name, evolved(old, given, where, add=True, relax=True, partial=False))
        self.catalog.tables[name] |= {
            key: body[key] for key in ("description", "labels", "expirationTime") if key in body
        }
        self.catalog.touch(name)
        return self.catalog.shown(name)

    def _data(self, name: tuple[str, str], start: int, limit: int) -> Any:
        self.catalog.table(name)
        rows = self.jobs.engine.root.execute(f'SELECT * FROM "{name[0]}"."{name[1]}"').fetchall()
        return {"totalRows": str(len(rows)), **_page(rows, start, limit)}

    def _results(self, job_id: str, start: int, limit: int) -> Any:
        done = self.jobs.is_done(job_id)
        job = self.jobs.known[job_id]
        head = {"kind": "bigquery#queryResponse", "jobReference": job["jobReference"], "jobComplete": done}
        if not done:
            return head
        if error := job["status"].get("errorResult"):
            raise RefusalError(STATUS.get(error["reason"], 400), error["reason"], error["message"])
        result = self.jobs.results[job_id]
        statistics = {key: job["statistics"].get(key, "0") for key in ("totalBytesProcessed", "totalSlotMs")}
        affected = {} if result.affected is None else {"numDmlAffectedRows": str(result.affected)}
        session = {"sessionInfo": job["statistics"]["sessionInfo"]} if "sessionInfo" in job["statistics"] else {}
        shown = {"schema": {"fields": result.fields}, "totalRows": str(len(result.rows)), "cacheHit": False}
        return {**head, **statistics, **shown, **affected, **session, **_page(result.rows, start, limit)}


def _page(rows: list[tuple[Any, ...]], start: int, limit: int) -> dict[str, Any]:
    page: dict[str, Any] = {"rows": [row(each) for each in rows[start : start + limit]]}
    return page if start + limit >= len(rows) else {**page, "pageToken": str(start + limit)}


def handler(service: Service) -> type[BaseHTTPRequestHandler]:
    """Return the class that answers a connection's requests for a service."""
    return type("Bound", (Handler,), {"service": service})


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    service: Service
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # header and body in one packet, or each request takes 45 ms
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.service.requests.append(f"{self.command} {self.path}")
        try:
            with self.service.jobs.engine.turn:
                status, answer, more = self.service.faults.around(f"{self.command} {self.path}", body, self._call(body))
        except LostError:
            self.close_connection = True
            return
        except RefusalError as error:
            status, answer, more = error.status, error.body(), {}
        except Exception as error:  # a defect of this server: the client must not try again, as it does after a 500
            told = f"the stand-in cannot do this: {type(error).__name__}: {error}\n{traceback.format_exc()[-900:]}"
            status, answer, more = 400, RefusalError(400, "standin", told).body(), {}
        self._send(status, answer, more)

    def _call(self, body: bytes) -> Callable[[], tuple[int, Any, dict[str, str]]]:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        path = [unquote(each) for each in url.path.strip("/").split("/")]
        if path[0] in ("upload", "resumable"):
            return lambda: self._upload(query, body)
        match = self.headers.get("If-Match")
        return lambda: (
            200,
            self.service.answer(self.command, path, query, json.loads(body) if body else {}, match),
            {},
        )

    def _upload(self, query: Query, body: bytes) -> tuple[int, Any, dict[str, str]]:
        """Take a file in one piece, or in pieces; the last one starts the job."""
        if "upload_id" not in query and query.get("uploadType") == "resumable":
            key = uuid.uuid4().hex
            self.service.uploads[key] = (json.loads(body), bytearray())
            where = f"http://{self.headers['Host']}{urlsplit(self.path).path}?uploadType=resumable&upload_id={key}"
            return 200, {}, {"Location": where}
        if "upload_id" not in query:
            boundary = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])
            pieces = body.split(b"--" + boundary[1].encode())[1:3] if boundary else []
            config, data = (re.split(rb"\r?\n\r?\n", each, maxsplit=1)[1] for each in pieces)
            return 200, self.service.jobs.submit(json.loads(config), data.removesuffix(b"\n").removesuffix(b"\r")), {}
        config, held = self.service.uploads[query["upload_id"]]
        sent = re.match(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", self.headers.get("Content-Range", ""))
        if sent and sent[1] is not None:
            del held[int(sent[1]) :]
            held += body
        if sent and (sent[3] == "*" or len(held) < int(sent[3])):
            return 308, None, {"Range": f"bytes=0-{len(held) - 1}"} if held else {}
        del self.service.uploads[query["upload_id"]]
        return 200, self.service.jobs.submit(config, bytes(held)), {}

    def _send(self, status: int, answer: Any, more: dict[str, str]) -> None:
        body = b"" if answer is None else msgspec.json.encode(answer)
        self.send_response_only(204 if status == 200 and answer is None else status)
        for key, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **more}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
