"""Request and Response as values: what a destination asks for, and what it is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from loader.errors import AnswerError

_TEXT_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Request:
    """One request. At most one of `json`, `form` and `body` is set.

    `json` may hold `member.raw`: what is encoded already is not encoded again. An url of the scheme `file` or `s3`
    writes `body` as an object there.
    """

    method: str
    url: str
    json: Any = None
    form: Mapping[str, str] | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)  # besides those that the destination declares
    harmless: bool = False  # sent twice it changes no more than sent once, whatever `resend` says: a search, a poll


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; the names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed; None where it is empty. Raises AnswerError where it is something else, like a page."""
        if not self.body:
            return None
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise AnswerError(f"answered {self.status} with something that is not JSON") from error

    @property
    def text(self) -> str:
        """The beginning of the body, on one line."""
        return " ".join(self.body[: 4 * _TEXT_SHOWN].decode("utf-8", "replace").split())[:_TEXT_SHOWN]


class Verdict(Enum):
    """What an answer is, for whoever must act."""

    ANSWER = "answer"  # `push` reads it
    THROTTLED = "throttled"  # slower; nothing was done
    UNAVAILABLE = "unavailable"  # later; something may have been done
    UNAUTHORISED = "unauthorised"  # log in again, once; then stop the run
    REFUSED = "refused"  # something in this batch is wrong: halve it
    MISCONFIGURED = "misconfigured"  # every batch would fare the same: stop the run


def by_status(response: Response) -> Verdict:
    """Return what the status alone says. A destination whose vendor means something else declares its own."""
    status = response.status
    if 200 <= status < 300:
        return Verdict.ANSWER
    if status == 401:
        return Verdict.UNAUTHORISED
    if status == 429:
        return Verdict.THROTTLED
    if status in (408, 425) or (status >= 500 and status != 501):
        return Verdict.UNAVAILABLE
    return Verdict.REFUSED if status in (400, 409, 413, 422) else Verdict.MISCONFIGURED


def by_code(verdicts: Mapping[str, Verdict]) -> Callable[[Response], Verdict]:
    """Return a `classify` that goes by the code of an error (as `explained` reads it), else by its status."""

    def verdict(response: Response) -> Verdict:
        found = verdicts.get(explained(response)[0]) if response.status >= 400 else None
        return found or by_status(response)

    return verdict


def explained(response: Response) -> tuple[str, str]:
    """Return a code and a message from an error, in the shapes that most tools use: http_400 and the text else."""
    code, fallback = f"http_{response.status}", response.text
    try:
        found = response.json
    except AnswerError:
        return code, f"answered {response.status} with something that is not JSON"
    for _ in range(3):  # {"error": {…}} and {"errors": [{…}]} lie around it
        if isinstance(found, list) and found:
            found = found[0]
        if not isinstance(found, dict):
            break
        inner = found.get("error") or found.get("errors")
        if not isinstance(inner, dict | list) or not inner:
            message = next((found[name] for name in _MESSAGES if isinstance(found.get(name), str)), fallback)
            named = next((found[name] for name in _CODES if isinstance(found.get(name), str | int)), code)
            return str(named), str(message)[:_TEXT_SHOWN]
        found = inner
    return code, str(found)[:_TEXT_SHOWN] if isinstance(found, str) else fallback


_MESSAGES = ("message", "detail", "error_description", "error", "msg", "title", "reason")
_CODES = ("code", "errorCode", "error_code", "status", "type")


def address(base: str, *parts: str | int, **query: str | int) -> str:
    """Return an address below `base`; no part can leave its place.

    >>> address("https://api.example.com/3/", "lists", "a/b", limit=1)
    'https://api.example.com/3/lists/a%2Fb?limit=1'
    """
    path = "/".join((base.rstrip("/"), *(quote(str(part), safe="") for part in parts)))
    return f"{path}?{urlencode(query)}" if query else path


def content(request: Request) -> tuple[bytes, str | None]:
    """Return the bytes to send and their type."""
    if request.json is not None:
        return msgspec.json.encode(request.json), "application/json"
    if request.form is not None:
        return urlencode(request.form).encode(), "application/x-www-form-urlencoded"
    return request.body, None
