"""Heap: user properties, or events.

API      https://developers.heap.io/reference/bulk-add-user-properties, .../bulk-track, read 2026-11
Matches  identity, letter by letter; one that Heap does not know becomes a user without events
Answers  200 with nothing in it, for any environment: a wrong `app_id` is not told. 400 takes nobody and names nobody
Leaves   `property` becomes "false"; users are deleted over another API, which needs another key
"""

from collections.abc import Mapping
from typing import Any, Literal

from loader.core.audience import Batch, Halve, Member, Mode, Op, Refused, Result, accepted
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, iso_time, plain, text
from loader.core.http import Request, Response, Verdict, address, by_status, explained
from loader.core.settings import Record

_LONGEST = 1_023  # "fewer than 1024 characters", of names and of values
_TAKEN = {"id", "user_id"}  # clash with Heap's own, in any casing


class Settings(Record, frozen=True):
    """An environment of Heap."""

    app_id: str  # the environment's: every page of yours shows it
    sends: Literal["user_properties", "events"] = "user_properties"
    event: str = "Audience Entered"
    property: str | None = None  # "true" for those who are in the audience
    host: str = "https://heapanalytics.com"  # EU: https://c.eu.heap-api.com


def scalar(value: Any) -> Any:
    """Return a text or a number, which are all that Heap keeps."""
    found = plain(value)
    if isinstance(found, list | dict):
        raise ValueError("is a list or an object")
    if isinstance(found, str) and len(found) > _LONGEST:
        raise ValueError(f"has {len(found):,} characters, and Heap takes {_LONGEST:,}")
    return str(found).lower() if isinstance(found, bool) else found


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    leaves, fields = member.op is Op.REMOVE, dict(member.fields)
    who, at = fields.pop("identity"), fields.pop("timestamp", None)
    if bad := [name for name in fields if name.lower() in _TAKEN or len(name) > _LONGEST]:
        return Refused("invalid_field", f"{bad[0][:40]!r} is no name that Heap takes")
    if settings.sends == "events":
        if leaves:
            return Refused("cannot_leave", "an event cannot be taken back; use sends = user_properties and `property`")
        when = {"timestamp": at} if at else {}
        once = {"identity": who, "event": settings.event, "idempotency_key": member.version}
        return {**once, **when, "properties": fields}
    if leaves and settings.property is None:
        return Refused("cannot_leave", "set `property`, which then is false for those who left")
    flag = {settings.property: "false" if leaves else "true"} if settings.property else {}
    return {"identity": who, "properties": {**fields, **flag}}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    response = yield _request(account.settings, [member.raw for member in batch.members])
    return Halve(*explained(response)) if response.status == 400 else accepted(batch)


def _request(settings: Settings, rows: list[Any]) -> Request:
    call, name = ("track", "events") if settings.sends == "events" else ("add_user_properties", "users")
    body = {"app_id": settings.app_id, name: rows}
    return Request("POST", address(settings.host, "api", call), json=body, harmless=not rows)


def classify(response: Response) -> Verdict:
    return Verdict.ANSWER if response.status == 400 else by_status(response)  # `push` halves, `check` only asks


def check(account: Account[Settings]) -> Steps[str]:
    yield _request(account.settings, [])
    return "Heap answers; whether the environment is right it tells nobody"


DESTINATION = Destination(
    title="Heap",
    docs="https://developers.heap.io/reference/bulk-add-user-properties",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.AUDIENCE}),
    fields=(
        Field("identity", text, max_length=255, required=True),
        Field("timestamp", iso_time, null=Null.OMIT),  # of an event; of none, the time when it arrives
    ),
    # How a property is emptied is not documented, so nulls are left out.
    extra=Field("any", scalar, null=Null.OMIT),
    identity=("identity",),
    # 1,000 a request; 15,000 events a minute, and for properties no rate is published, so the same.
    limits=Limits(rows=1_000, bytes=4_000_000, rates=(Rate(15, 60),)),
    resend=Resend.KEYED,  # events by idempotency_key; properties set again are the same
    encode=encode,
    push=push,
    classify=classify,
    check=check,
)
