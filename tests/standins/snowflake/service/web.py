"""The connector's REST protocol over HTTP: log in, run a statement, upload a file; and the test's own requests.

A statement sent again with the same request id is not run again: the connector repeats what it heard no answer to,
and Snowflake tells it by the id (the connector's own retry relies on it).
"""

import gzip
import json
import secrets
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from fakesnow.converter import from_binding

from standins.snowflake.service import accounts, answers
from standins.snowflake.service.answers import Json
from standins.snowflake.service.faults import Fault, Faults, stall, strike_after, strike_before
from standins.snowflake.service.refusals import CutError, RefusedError, UnavailableError
from standins.snowflake.service.sessions import Service, Session, bound
from standins.snowflake.service.stages import Place

_OK: Json = {"success": True, "data": {}, "code": None, "message": None}
_GONE = {"success": False, "data": None, "code": "390104", "message": "User must login again to access the service."}


@dataclass
class World:
    """All that the server knows."""

    service: Service
    user: accounts.User
    faults: Faults = field(default_factory=Faults)
    sessions: dict[str, Session] = field(default_factory=dict)
    answered: dict[str, Json] = field(default_factory=dict)  # request id → the answer
    uploads: dict[str, Path] = field(default_factory=dict)  # token of a presigned url → the file
    turn: Lock = field(default_factory=Lock)


class Handler(BaseHTTPRequestHandler):
    """One request after the other on one connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    world: World  # set by the server

    def log_message(self, format: str, *args: Any) -> None:  # the base class names it so
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer a request, or close the connection where a fault says so."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            self._send(200, self._answer(url.path, asked, json.loads(body or b"{}")))
        except RefusedError as refusal:
            self._send(200, answers.refused(refusal))
        except UnavailableError as error:
            self._send(error.status, None)
        except CutError:
            self.close_connection = True

    def do_GET(self) -> None:
        """Answer in the same way."""
        self.do_POST()

    def do_PUT(self) -> None:
        """Store an uploaded file."""
        path = self.world.uploads[unquote(urlsplit(self.path).path).split("/")[2]]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.rfile.read(int(self.headers.get("content-length") or 0)))
        self._send(200, None)

    def _answer(self, path: str, asked: dict[str, str], body: Any) -> Json:
        match path:
            case "/session/v1/login-request":
                return self._logged_in(asked, body["data"])
            case "/queries/v1/query-request":
                return self._queried(asked.get("requestId", ""), body)
            case "/session" | "/session/heartbeat":
                session = self.world.sessions.get(self._token())
                if session and asked.get("delete"):
                    with session.turn:
                        session.close()
                    del self.world.sessions[self._token()]
                return _OK if session else _GONE
            case "/session/token-request":
                return _OK | {
                    "data": {
                        "sessionToken": self._token(),
                        "masterToken": "m",
                        "validityInSecondsST": 3600,
                        "validityInSecondsMT": 14400,
                    }
                }
            case _ if path.startswith("/standin/"):
                return _OK | {"data": self._told(path.rpartition("/")[2], body)}
            case _:
                return _OK  # telemetry, abort

    def _told(self, what: str, body: Any) -> Json:
        """Answer a request of the test's own."""
        service = self.world.service
        match what:
            case "faults":
                self.world.faults.replace(body)
                return {}
            case "struck":
                return {"struck": sum(each.struck for each in self.world.faults.waiting)}
            case "run":
                Session(service, None, None).run(body["sql"], [], upload=self._upload)
                return {}
            case "statements":
                return {"statements": service.statements}
            case _:
                home = service.stages.home
                files = [path.relative_to(home).as_posix() for path in sorted(home.rglob("*")) if path.is_file()]
                return {"stages": [".".join(each) for each in service.stages.made], "files": files}

    def _logged_in(self, asked: dict[str, str], data: Json) -> Json:
        strike_before(self.world.faults.struck("login"))
        accounts.check(self.world.user, data)
        token, database, schema = secrets.token_urlsafe(24), asked.get("databaseName"), asked.get("schemaName")
        role = asked.get("roleName") or "SYSADMIN"
        session = Session(self.world.service, database and database.upper(), schema and schema.upper(), role.upper())
        session.tag = str((data.get("SESSION_PARAMETERS") or {}).get("QUERY_TAG") or "")
        self.world.sessions[token] = session
        info = {
            "databaseName": database,
            "schemaName": schema,
            "warehouseName": asked.get("warehouse"),
            "roleName": role,
        }
        return _OK | {"data": self._about(token) | {"sessionInfo": info}}

    def _about(self, token: str) -> Json:
        """Return what connector 5 wants to hear of a new session."""
        return {
            "token": token,
            "masterToken": f"m-{token}",
            "validityInSeconds": 3600,
            "masterValidityInSeconds": 14400,
            "sessionId": self.world.sessions[token].number,
            "displayUserName": self.world.user.name,
            "firstLogin": False,
            "healthCheckInterval": 45,
            "serverVersion": "9.40.0",
            "parameters": [{"name": "AUTOCOMMIT", "value": True}],
            **dict.fromkeys(("newClientForUpgrade", "remMeToken", "idToken")),
        }

    def _queried(self, request: str, body: Json) -> Json:
        session = self.world.sessions.get(self._token())
        if session is None:
            return _GONE
        if session.silent:
            raise CutError
        if request in self.world.answered:
            return self.world.answered[request]
        fault = self.world.faults.struck(body["sqlText"])
        session.cancelled.clear()
        if refusal := self._stalled(session, fault, "stall"):
            return refusal
        if fault and fault.act == "run":
            Session(self.world.service, None, None).run(fault.run, [], upload=self._upload)
        try:
            with session.turn:
                answer = self._carried_out(session, body, fault)
            self.world.answered[request] = answer
            if refusal := self._stalled(session, fault, "hold"):
                return refusal
            strike_after(fault)
            return answer
        finally:
            self._silence(session, fault)

    def _stalled(self, session: Session, fault: Fault | None, act: str) -> Json | None:
        try:
            stall(fault, act, session.cancelled)
        except RefusedError as refusal:
            return answers.refused(refusal)
        return None

    def _carried_out(self, session: Session, body: Json, fault: Fault | None) -> Json:
        strike_before(fault)
        values = bound(body.get("bindings"), from_binding)
        try:
            return session.run(body["sqlText"], values, upload=self._upload)
        except RefusedError as refusal:
            return answers.refused(refusal)

    def _silence(self, session: Session, fault: Fault | None) -> None:
        if fault and fault.act in ("lost", "dead"):
            session.silent = True
            session.close()

    def _upload(self, place: Place, name: str) -> str:
        token = secrets.token_urlsafe(8)
        self.world.uploads[token] = self.world.service.stages.path(place)
        return f"http://{self.headers['host']}/upload/{token}/{quote(name)}"

    def _token(self) -> str:
        return (self.headers.get("authorization") or "").removeprefix('Snowflake Token="').rstrip('"')

    def _send(self, status: int, body: Json | None) -> None:
        data = json.dumps(body).encode() if body is not None else b""
        self.send_response_only(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()
