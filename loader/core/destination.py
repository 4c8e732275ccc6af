"""Destination: what a tool's file must declare. It describes and translates; the engine decides.

No file of a tool retries, waits, batches, logs or remembers anything, or reads a clock.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from loader.core.audience import Batch, Job, Member, Mode, Refused, Result
from loader.core.fields import Field
from loader.core.http import Request, Response, Verdict, by_status, explained
from loader.core.settings import Record

S = TypeVar("S", bound=Record)
R = TypeVar("R")


class Resend(Enum):
    """What happens when a batch is sent twice because nobody knows whether it arrived."""

    SAFE = "safe"  # nothing: setting what is set already
    KEYED = "keyed"  # nothing, for the tool recognises `member.version` or `batch.key`
    UNSAFE = "unsafe"  # it is done twice: so it is never sent again without a person


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many requests in so many seconds."""

    requests: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request and one account can take. Cite the vendor's page beside each number."""

    rows: int
    bytes: int = 4_000_000  # of the payloads in one request, with a comma between them
    row_bytes: int = 1_000_000  # of one payload
    rates: tuple[Rate, ...] = ()  # all of them hold
    concurrency: int = 1  # requests at once


@dataclass(frozen=True, slots=True)
class Account(Generic[S]):
    """The settings of a destination, and what `login` found: tokens, addresses, the ids of custom fields."""

    settings: S
    session: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """A run whose every batch is sent. `stored`: the remote ids of accepted members, and how many have each."""

    sync: str
    run: str
    stored: Mapping[str, int]


# Yields requests, is sent what came back, ends with what is to be known. An error answer never comes back unless
# `classify` calls it an answer.
Steps = Generator[Request, Response, R]


def _as_fields(_: Any, member: Member) -> Mapping[str, Any]:
    return member.fields


def _one_envelope(_settings: Any, _member: Member) -> str:
    return ""


def _no_headers(_: Any) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination(Generic[S]):
    """A tool. The callables are pure; those that return steps are generators."""

    title: str
    docs: str  # the vendor's page that the file was written from
    settings: type[S]
    modes: frozenset[Mode]
    fields: tuple[Field, ...]
    extra: Field | None = None  # how any further field is sent; None: there are no others
    # Fields of which a row must have at least one; kept as sent, for removals. None: rows go by the sync's key.
    identity: tuple[str, ...]
    # Where the tool knows somebody by one of them: in which order. The first that a row has names it, the others are
    # fields like any: whoever has another address under the same id is changed, not removed and made anew.
    named_by: Callable[[S], tuple[str, ...]] | None = None
    limits: Limits
    resend: Resend
    push: Callable[[Account[S], Batch], Steps[Result]]
    check: Callable[
        [Account[S]], Steps[str]
    ]  # tries credentials and permissions, changes nothing; ends with a sentence
    encode: Callable[[S, Member], Mapping[str, Any] | Refused] = (
        _as_fields  # total: any member has a payload, or a reason
    )
    envelope: Callable[[S, Member], str] = _one_envelope  # members share a request only where this is equal
    headers: Callable[[Account[S]], Mapping[str, str]] = _no_headers  # of every request
    login: Callable[[S, int], Steps[Mapping[str, str]]] | None = None  # settings, seconds since 1970 → session
    poll: Callable[[Account[S], Job, Batch], Steps[Result]] | None = None  # Job again: not done yet
    # Whom the tool has already, just as they would be sent: key → its id. Only reads, and what is as harmless.
    adopt: Callable[[Account[S], Batch], Steps[Mapping[str, str]]] | None = None
    finish: Callable[[Account[S], Ended], Steps[None]] | None = None  # after the last batch; twice is as once
    classify: Callable[[Response], Verdict] = by_status
    explain: Callable[[Response], tuple[str, str]] = explained  # an error → code, message
