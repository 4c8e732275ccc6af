"""Segment, RudderStack and others that speak Segment's tracking API: people with traits, or events.

API      https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ (batch), read 2025-11
         https://www.rudderstack.com/docs/api/http-api/ (the same calls, at your data plane)
Matches  userId, else anonymousId
Answers  200 says that the batch is queued, no more: rows are checked here, for nobody says what became of them.
         Segment takes any write key; RudderStack answers 401
Leaves   nothing can be deleted: with `trait`, who is in the audience has it true, and who leaves false
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal

from loader.core.audience import Batch, Member, Mode, Op, Refused, Result, accepted
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, iso_time, text
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

IDENTITY = ("userId", "anonymousId")
RESERVED = {*IDENTITY, "timestamp"}


class Settings(Record, frozen=True):
    """A source of Segment, or of RudderStack."""

    write_key: Secret
    host: str = "https://api.segment.io"  # EU: https://events.eu1.segmentapis.com; RudderStack: your data plane
    call: Literal["identify", "track"] = "identify"
    event: str | None = None  # the name of the event, with call = "track"
    trait: str | None = None  # of the members of the audience, with mode = "audience"


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    fields = member.fields
    message: dict[str, Any] = {"type": settings.call, "messageId": member.version}
    message |= {name: fields[name] for name in RESERVED if fields.get(name) is not None}
    values = {name: value for name, value in fields.items() if name not in RESERVED}
    leaves = member.op is Op.REMOVE
    if settings.call == "track":
        if leaves:
            return Refused("cannot_leave", "an event cannot be taken back; use call = identify and a trait")
        return {**message, "event": settings.event or "Audience Entered", "properties": values}
    if leaves and settings.trait is None:
        return Refused("cannot_leave", "set `trait`, which then is false for those who left")
    return {**message, "traits": {**values, **({settings.trait: not leaves} if settings.trait else {})}}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    yield Request(
        "POST",
        address(account.settings.host, "v1", "batch"),
        json={"batch": [member.raw for member in batch.members]},
    )
    return accepted(batch)


def headers(account: Account[Settings]) -> dict[str, str]:
    pair = f"{account.settings.write_key.reveal()}:".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def classify(response: Response) -> Verdict:
    # RudderStack refuses an empty batch with a text of its own: the check sends one, and learns that the key is good.
    empty = response.status == 400 and b"empty batch" in response.body.lower()
    return Verdict.ANSWER if empty else by_status(response)


def check(account: Account[Settings]) -> Steps[str]:
    url = address(account.settings.host, "v1", "batch")
    yield Request("POST", url, json={"batch": []}, harmless=True)
    return "the address answers; only RudderStack would say that the write key is wrong, Segment takes any"


DESTINATION = Destination(
    title="Segment, RudderStack",
    docs="https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.AUDIENCE}),
    fields=(
        Field("userId", text, max_length=255, null=Null.OMIT),
        Field("anonymousId", text, max_length=255, null=Null.OMIT),
        Field("timestamp", iso_time, null=Null.OMIT),
    ),
    extra=Field("any"),
    identity=IDENTITY,
    named_by=lambda _: IDENTITY,
    # A batch of at most 500 KB and 2,500 events, an event of at most 32 KB; no more than 1,000 requests a second.
    limits=Limits(rows=2_500, bytes=490_000, row_bytes=32_000, rates=(Rate(1_000, 1),), concurrency=4),
    resend=Resend.KEYED,  # by messageId, for a day at least
    encode=encode,
    push=push,
    headers=headers,
    classify=classify,
    check=check,
)
