"""The exchange: sends what a destination's steps ask for, waits where the tool asks for it, tries again where that
is harmless, and says what it could not do.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from loader.core.destination import Account, Destination, Resend, Steps
from loader.core.http import Request, Response, Verdict
from loader.core.masking import masked
from loader.delivery.client import ConnectionFailedError
from loader.delivery.pace import Pace
from loader.errors import AnswerError, DestinationError, LoaderError

R = TypeVar("R")
Send = Callable[[Request, Mapping[str, str]], Response]
_RESET = ("x-ratelimit-reset", "ratelimit-reset")
_LONG_AGO = 1_000_000_000  # a reset above this is a time, below it seconds to wait


class RefusedError(LoaderError):
    """The tool refuses something in the request."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class MissingError(DestinationError):
    """The tool has nothing at the address: a setting is wrong, or what was there is gone."""


class UnavailableError(LoaderError):
    """The tool did not do it after all attempts; `done` where it may have been done all the same."""

    transient = True

    def __init__(self, code: str, message: str, *, done: bool) -> None:
        super().__init__(message)
        self.code, self.done = code, done


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long one request is tried."""

    attempts: int = 5
    seconds: float = 180.0  # all waits for one request together
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0


class Exchange:
    """A conversation with one account of a tool. Calls may come from several threads."""

    def __init__(
        self, destination: Destination[Any], settings: Any, send: Send, pace: Pace, patience: Patience
    ) -> None:
        self._destination, self._settings, self._send, self._pace = destination, settings, send, pace
        self._patience = patience
        self.account = Account(settings)
        self.requests = 0

    def login(self) -> None:
        """Log in, where the tool wants that. Raises DestinationError."""
        if self._destination.login is not None:
            self.account = Account(self._settings)
            try:
                session = self._run(self._destination.login(self._settings, int(time.time())))
            except (_UnauthorisedError, RefusedError, UnavailableError, AnswerError) as error:
                raise DestinationError(f"no log-in to {self._destination.title}: {error}") from error
            except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
                text = f"the answer has not the form that it should have ({type(error).__name__})"
                raise DestinationError(f"no log-in to {self._destination.title}: {text}") from error
            self.account = Account(self._settings, session)

    def run(self, make: Callable[[Account[Any]], Steps[R]]) -> R:
        """Run the steps to their end; where the tool has forgotten who we are, log in and begin them again, once.

        Raises RefusedError, UnavailableError, DestinationError, AnswerError.
        """
        try:
            return self._run(make(self.account))
        except _UnauthorisedError as error:
            if self._destination.login is None:
                raise DestinationError(str(error)) from error
        try:
            self.login()
            return self._run(make(self.account))
        except _UnauthorisedError as error:
            raise DestinationError(str(error)) from error

    def _run(self, steps: Steps[R]) -> R:
        try:
            request = next(steps)
            while True:
                request = steps.send(self._answered(request))
        except StopIteration as end:
            found: R = end.value
            return found
        finally:
            steps.close()

    def _answered(self, request: Request) -> Response:
        """Send until there is an answer for the destination to read."""
        began, wait = time.monotonic(), self._patience.first_wait_seconds
        for attempt in range(1, self._patience.attempts + 1):
            self._pace.wait()
            self.requests += 1
            found = self._once(request)
            if isinstance(found, Response):
                return found
            after = found.after if found.after is not None else min(wait, self._patience.longest_wait_seconds)
            wait *= 2
            patient = time.monotonic() - began + after <= self._patience.seconds
            harmless = request.harmless or not found.done or self._destination.resend is not Resend.UNSAFE
            if found.after is not None and patient:
                self._pace.pause(after)  # everybody who speaks to this account waits
            if attempt == self._patience.attempts or not patient or not harmless:
                raise UnavailableError(found.code, found.message, done=found.done and not request.harmless)
            if found.after is None:
                time.sleep(after * random.uniform(0.75, 1.25))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, request: Request) -> "Response | _Later":
        """Send once; return the answer to read, or why to try later. Raises what waiting does not mend."""
        destination = self._destination
        try:
            response = self._send(request, destination.headers(self.account))
        except ConnectionFailedError as error:
            return _Later("no_answer" if error.sent else "no_connection", str(error), None, done=error.sent)
        try:
            verdict = destination.classify(response)
            if verdict is Verdict.ANSWER:
                return response
            code, message = destination.explain(response)
        except AnswerError as error:
            return _Later("not_json", str(error), None, done=True)
        message = masked(message)
        match verdict:
            case Verdict.THROTTLED:
                return _Later(code, message, _after(response), done=False)
            case Verdict.UNAVAILABLE:
                return _Later(code, message, _after(response), done=response.status != 503)
            case Verdict.REFUSED:
                raise RefusedError(code, message)
            case Verdict.UNAUTHORISED:
                raise _UnauthorisedError(
                    f"{destination.title} does not accept the credentials ({response.status}: {message})"
                )
        kind = MissingError if response.status in (404, 410) else DestinationError
        raise kind(f"{destination.title} refuses ({response.status}, {code}): {message}")


class _UnauthorisedError(LoaderError):
    """Whoever we are, the tool does not know us."""


@dataclass(frozen=True, slots=True)
class _Later:
    code: str
    message: str
    after: float | None  # seconds, where the tool says them
    done: bool


def _after(response: Response) -> float | None:
    """Return the seconds that the tool asks to wait, in any of the usual spellings."""
    headers = response.headers
    written = headers.get("retry-after") or headers.get("x-ratelimit-retry-after")
    if written:
        return _seconds(written)
    if response.status == 429 and (reset := next((headers[name] for name in _RESET if name in headers), None)):
        return _seconds(reset)
    return None


def _seconds(written: str) -> float | None:
    try:
        found = float(written)
        return max(0.0, found - time.time() if found > _LONG_AGO else found)
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(written)
    except ValueError:
        return None
    return max(0.0, (at.astimezone(UTC) - datetime.now(UTC)).total_seconds())
