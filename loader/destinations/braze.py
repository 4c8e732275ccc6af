"""Braze: attributes of users.

API      https://www.braze.com/docs/api/endpoints/user_data/post_user_track, read 2025-11
Matches  external_id, braze_id or email
Answers  201 with `errors` that name objects by their place; a `message` other than success means that none was taken
Leaves   `attribute` becomes false for whoever left; users are never deleted
Costs    a data point per attribute sent: only rows that changed are sent
"""

from collections.abc import Mapping
from typing import Any

from loader.core.audience import Batch, Halve, Member, Mode, Op, Refused, Result, refused_by_index
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, email, phone, text
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

IDENTITY = ("external_id", "braze_id", "email")


class Settings(Record, frozen=True):
    """A workspace of Braze."""

    api_key: Secret
    host: str = "https://rest.iad-01.braze.com"  # of your instance: https://www.braze.com/docs/api/basics/#endpoints
    attribute: str | None = None  # true for those who are in the audience


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    leaves = member.op is Op.REMOVE
    if leaves and settings.attribute is None:
        return Refused("cannot_leave", "set `attribute`, which then is false for those who left")
    flag = {settings.attribute: not leaves} if settings.attribute else {}
    return {**member.fields, **flag}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    only_known = batch.mode is Mode.UPDATE or batch.removes
    rows: list[Any] = [
        {**member.payload, "_update_existing_only": True} if only_known else member.raw for member in batch.members
    ]
    response = yield Request(
        "POST",
        address(account.settings.host, "users", "track"),
        json={"attributes": rows},
        headers={"X-Braze-Batch": "true"},
    )
    answer = response.json or {}  # an empty 201 has been seen: it was taken
    errors = {int(each["index"]): ("refused", str(each["type"])) for each in answer.get("errors", [])}
    if answer.get("message", "success") != "success" and not errors:
        return Halve("refused", str(answer["message"]))
    return refused_by_index(batch, errors)


def headers(account: Account[Settings]) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.settings.api_key.reveal()}"}


def classify(response: Response) -> Verdict:
    # A 400 with `errors` names the objects, and none was taken; the check learns that the key may track.
    told = response.status == 400 and b'"index"' in response.body
    empty = response.status == 400 and b"must contain at least one" in response.body.lower()
    return Verdict.REFUSED if told else Verdict.ANSWER if empty else by_status(response)


def check(account: Account[Settings]) -> Steps[str]:
    yield Request("POST", address(account.settings.host, "users", "track"), json={}, harmless=True)
    return "the key may track users"


DESTINATION = Destination(
    title="Braze",
    docs="https://www.braze.com/docs/api/endpoints/user_data/post_user_track",
    settings=Settings,
    modes=frozenset({Mode.UPDATE, Mode.UPSERT, Mode.AUDIENCE}),
    fields=(
        Field("external_id", text, max_length=997, null=Null.OMIT),
        Field("braze_id", text, null=Null.OMIT),
        Field("email", email, max_length=254),
        Field("phone", phone),
    ),
    extra=Field("any"),
    identity=IDENTITY,
    named_by=lambda _: IDENTITY,
    # 75 objects a request; 3,000 requests in 3 seconds; an attribute set twice is set once.
    limits=Limits(rows=75, rates=(Rate(3_000, 3),), concurrency=8),
    resend=Resend.SAFE,
    encode=encode,
    push=push,
    headers=headers,
    classify=classify,
    check=check,
)
