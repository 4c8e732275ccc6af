"""Intercom: contacts, and a tag for those who are in the audience. There is no bulk request: one contact at a time.

API      https://developers.intercom.com/docs/references/rest-api/api.intercom.io/contacts, read 2026-11
Matches  external_id, else email. Whoever is there already is told by the 409, which is sure; a search runs behind
Answers  one contact each; whoever was archived comes out of the archive
Leaves   the tag, or with mode = "mirror" the contact is archived; it is never deleted
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from loader.core.audience import Accepted, Batch, Failed, Member, Mode, Op, Rejected, Result
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, boolean, email, phone, plain, text, unix_seconds
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

IDENTITY = ("external_id", "email")
OWN = {*IDENTITY, "name", "phone", "avatar", "signed_up_at", "last_seen_at", "owner_id", "unsubscribed_from_emails"}
_ID = re.compile(rb"already exists with id=(\w+)")


class Settings(Record, frozen=True):
    """A workspace of Intercom."""

    token: Secret
    tag_id: str | None = None  # of a tag made by hand; who is in the audience has it
    host: str = "https://api.intercom.io"  # EU: https://api.eu.intercom.io, Australia: https://api.au.intercom.io


def attribute(value: Any) -> Any:
    """Return times in seconds since 1970; a custom attribute holds a text, a number or a boolean."""
    found = unix_seconds(value) if isinstance(value, date) else plain(value)
    if isinstance(found, list | dict):
        raise ValueError("is a list or an object, which no attribute holds")
    return found


def encode(_: Settings, member: Member) -> Mapping[str, Any]:
    if member.op is Op.REMOVE:
        return member.fields
    custom = {name: value for name, value in member.fields.items() if name not in OWN}
    own = {name: value for name, value in member.fields.items() if name in OWN}
    return {"role": "user", **own, "custom_attributes": custom}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings, [member] = account.settings, batch.members
    if batch.removes:
        return [(yield from _left(settings, batch.mode, member))]
    contacts = address(settings.host, "contacts")
    answer = yield Request("POST", contacts, json=member.raw)
    if answer.status == 409 and (there := _ID.search(answer.body)):
        contact = address(contacts, there[1].decode())
        if b"archived" in answer.body:
            yield Request("POST", address(contact, "unarchive"))
        answer = yield Request("PUT", contact, json=member.raw)
    if answer.status in (404, 409):  # its id is one contact's, its address another's; or it is to be deleted for good
        return [Rejected(member.key, "conflict", "other contacts have its identifiers, or it is about to be deleted")]
    contact = str(answer.json["id"])
    if settings.tag_id:
        answer = yield Request("POST", address(contacts, contact, "tags"), json={"id": settings.tag_id})
    return [Failed(member.key, "no_tag", "no such tag") if answer.status == 404 else Accepted(member.key, contact)]


def _left(settings: Settings, mode: Mode, member: Member) -> Steps[Accepted | Rejected]:
    if mode is not Mode.MIRROR and not settings.tag_id:
        return Rejected(member.key, "cannot_leave", "set `tag_id`, which then is taken off")
    contact = member.remote_id
    if contact is None:
        [asked] = [{"field": name, "operator": "=", "value": value} for name, value in member.fields.items()]
        search = address(settings.host, "contacts", "search")
        found = yield Request("POST", search, json={"query": asked}, harmless=True)
        contact = next((str(each["id"]) for each in found.json["data"] if each["role"] == "user"), None)
    if contact is not None:  # a 404: it is gone, or has no such tag
        tag = Request("DELETE", address(settings.host, "contacts", contact, "tags", str(settings.tag_id)))
        yield Request("POST", address(settings.host, "contacts", contact, "archive")) if mode is Mode.MIRROR else tag
    return Accepted(member.key)


def headers(account: Account[Settings]) -> dict[str, str]:
    key = f"Bearer {account.settings.token.reveal()}"
    return {"Authorization": key, "Accept": "application/json", "Intercom-Version": "2.14"}


def classify(response: Response) -> Verdict:
    return Verdict.ANSWER if response.status in (404, 409) else by_status(response)


def check(account: Account[Settings]) -> Steps[str]:
    found = yield Request("GET", address(account.settings.host, "tags", account.settings.tag_id or ""), harmless=True)
    return "the token is good" + ("" if found.status == 200 else ", but there is NO such tag")


DESTINATION = Destination(
    title="Intercom",
    docs="https://developers.intercom.com/docs/references/rest-api/api.intercom.io/contacts",
    settings=Settings,
    modes=frozenset({Mode.UPSERT, Mode.MIRROR, Mode.AUDIENCE}),
    fields=(
        Field("external_id", text, max_length=255, null=Null.OMIT),
        Field("email", email),
        Field("phone", phone),
        Field("signed_up_at", unix_seconds),
        Field("unsubscribed_from_emails", boolean, null=Null.OMIT),
    ),
    extra=Field("any", attribute, max_length=255),
    identity=IDENTITY,
    named_by=lambda _: IDENTITY,
    # 10,000 requests a minute for an app, in windows of 10 seconds.
    limits=Limits(rows=1, rates=(Rate(1_666, 10),), concurrency=8),
    resend=Resend.SAFE,
    encode=encode,
    push=push,
    headers=headers,
    classify=classify,
    check=check,
)
