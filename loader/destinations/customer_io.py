"""Customer.io: people, and an attribute or a manual segment for those who are in the audience.

API      https://docs.customer.io/integrations/api/track/ (v2 batch, v1 segments, accounts/region), read 2026-11
Matches  cio_id, else id, email or phone: one of them, as enabled in the workspace; the others are attributes then
Answers  207 with `errors` that name objects by their place; the others were taken, and are worked on later
Leaves   `attribute` becomes false, the segment is left; with mode = "mirror" the person is deleted
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import date
from typing import Any

from loader.core.audience import Accepted, Batch, Member, Mode, Op, Rejected, Result, accepted, refused_by_index
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, email, phone, plain, text, unix_seconds
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

IDENTITY = ("cio_id", "id", "email", "phone")


class Settings(Record, frozen=True):
    """A workspace of Customer.io."""

    site_id: str
    api_key: Secret  # of the Track API, not of the App API
    host: str = "https://track.customer.io"  # EU: https://track-eu.customer.io
    attribute: str | None = None  # true for those who are in the audience
    # A manual segment. Customer.io ignores whom it does not know, and says nothing; whom it was told of a moment ago it
    # may not know yet. For people who are new, a data-driven segment on `attribute` is sure.
    segment_id: int | None = None


def attribute(value: Any) -> Any:
    """Return times in seconds since 1970, which is what segments compare, and no text of over 1,000 bytes."""
    found = unix_seconds(value) if isinstance(value, date) else plain(value)
    if isinstance(found, str) and len(found.encode()) > 1_000:
        raise ValueError(f"has {len(found.encode()):,} bytes, and the tool takes 1,000")
    return found


def encode(settings: Settings, member: Member) -> Mapping[str, Any]:
    who, leaves = _who(member), member.op is Op.REMOVE
    flag = {settings.attribute: not leaves} if settings.attribute else {}
    attributes = {"_update": True} if leaves else {name: each for name, each in member.fields.items() if name != who}
    person = {"type": "person", "identifiers": {who: member.fields[who]}}
    return {**person, "action": "identify", "attributes": attributes | flag}


def _who(member: Member) -> str:
    return next(name for name in IDENTITY if member.fields.get(name))


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings, deletes = account.settings, batch.removes and batch.mode is Mode.MIRROR
    if batch.removes and not deletes and not settings.attribute and settings.segment_id is None:
        return [Rejected(member.key, "cannot_leave", "set `attribute` or `segment_id`") for member in batch.members]
    outcomes = accepted(batch)
    if settings.attribute or deletes or not batch.removes:
        entries: list[Any] = [member.raw for member in batch.members]
        if deletes:
            person = {"type": "person", "action": "delete"}
            entries = [{**person, "identifiers": each.payload["identifiers"]} for each in batch.members]
        elif batch.mode is Mode.UPDATE:
            entries = [{**m.payload, "attributes": {**m.payload["attributes"], "_update": True}} for m in batch.members]
        response = yield Request("POST", address(settings.host, "api", "v2", "batch"), json={"batch": entries})
        errors = (response.json or {}).get("errors", [])
        told = {int(each["batch_index"]): (str(each["reason"]), str(each.get("message", ""))) for each in errors}
        outcomes = refused_by_index(batch, told)
    both = zip(batch.members, outcomes, strict=True)
    names = [str(member.fields[_who(member)]) for member, found in both if isinstance(found, Accepted)]
    if settings.segment_id is not None and names and not deletes:
        verb, kind = "remove_customers" if batch.removes else "add_customers", _who(batch.members[0])
        url = address(settings.host, "api", "v1", "segments", settings.segment_id, verb, id_type=kind)
        yield Request("POST", url, json={"ids": names})
    return outcomes


def headers(account: Account[Settings]) -> dict[str, str]:
    pair = f"{account.settings.site_id}:{account.settings.api_key.reveal()}".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def classify(response: Response) -> Verdict:
    # Errors of v1 lie in `meta`, and we ask v1 for segments only: there is none, or it is no manual one.
    return Verdict.MISCONFIGURED if response.status == 400 and b'"meta"' in response.body else by_status(response)


def check(account: Account[Settings]) -> Steps[str]:
    url = address(account.settings.host, "api", "v1", "accounts", "region")
    found = (yield Request("GET", url, harmless=True)).json
    return f"the key is of workspace {found['environment_id']} in region {found['region']}, at {found['url']}"


DESTINATION = Destination(
    title="Customer.io",
    docs="https://docs.customer.io/integrations/api/track/",
    settings=Settings,
    modes=frozenset({Mode.UPDATE, Mode.UPSERT, Mode.MIRROR, Mode.AUDIENCE}),
    fields=(
        Field("cio_id", text, null=Null.OMIT),
        Field("id", text, max_length=150, null=Null.OMIT),
        Field("email", email, max_length=254, null=Null.EMPTY),
        Field("phone", phone, null=Null.EMPTY),
        Field("created_at", unix_seconds, null=Null.EMPTY),
    ),
    extra=Field("any", attribute, null=Null.EMPTY),  # an empty text takes the attribute away
    identity=IDENTITY,
    named_by=lambda _: IDENTITY,
    # A batch of 500 KB, an object of 32 KB, 1,000 ids for a segment. Fair use is 100 requests a second.
    limits=Limits(rows=1_000, bytes=490_000, row_bytes=32_000, rates=(Rate(100, 1),), concurrency=4),
    resend=Resend.SAFE,
    encode=encode,
    envelope=lambda _, member: _who(member),  # the ids for a segment are all of one kind
    push=push,
    headers=headers,
    classify=classify,
    check=check,
)
