"""Blueshift: customers, and a custom list for those who are in the audience.

API      https://developer.blueshift.com/reference/post_api-v1-customers-bulk, and "custom user lists", read 2026-11
Matches  customer_id or email, as `id_property` says; the list must have been made for the same
Answers  200 also when customers failed: `customers` has them as they were sent, and `errors` beside them why.
         404 and 409 mean a conflict, to be tried again; no Retry-After
Leaves   the list, and `attribute` becomes false; customers are deleted for good over another API, at a request each
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal

from loader.core.audience import Accepted, Batch, Halve, Member, Mode, Op, Refused, Rejected, Result
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, email, phone, text
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

_ON_LIST = 25  # identifiers a request; 500 with async=true, but then nobody is told what became of them


class Settings(Record, frozen=True):
    """An account of Blueshift."""

    api_key: Secret  # a user's, not the one for events
    id_property: Literal["customer_id", "email"] = "customer_id"
    list_id: int | None = None  # a custom list, made by hand
    attribute: str | None = None  # true for those who are in the audience
    host: str = "https://api.getblueshift.com"  # EU: https://api.eu.getblueshift.com


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    leaves = member.op is Op.REMOVE
    if leaves and not (settings.attribute or settings.list_id):
        return Refused("cannot_leave", "set `list_id`, or `attribute`, which then is false for those who left")
    if not member.fields.get(settings.id_property):
        return Refused("no_identifier", f"{settings.id_property} is not set, by which customers are known here")
    flag = {settings.attribute: not leaves} if settings.attribute else {}
    return {**member.fields, **flag}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings = account.settings
    names = {str(member.fields[settings.id_property]): member.key for member in batch.members}
    known: dict[str, Rejected] = {}
    if settings.attribute or not batch.removes:
        rows = [member.raw for member in batch.members]
        answer = (yield Request("POST", _url(settings, "customers", "bulk"), json={"customers": rows})).json
        failed = zip(answer["customers"], answer["errors"], strict=True)
        found = [(names.get(str(sent.get(settings.id_property))), error) for sent, error in failed]
        known = {key: Rejected(key, *_why(error)) for key, error in found if key}
        if len(known) < len(found):
            return Halve("refused", "Blueshift refuses a customer that was not sent so", tuple(known.values()))
    if settings.list_id is not None:
        call = f"bulk_{'remove_users_from' if batch.removes else 'add_users_to'}_list"
        url = _url(settings, "custom_user_lists", call, settings.list_id)
        values = [name for name, key in names.items() if key not in known]
        for first in range(0, len(values), _ON_LIST):
            body = {"identifier_key": settings.id_property, "identifier_values": values[first : first + _ON_LIST]}
            answer = (yield Request("PUT", url, json=body)).json
            if answer["errors"]:  # what they look like is not documented
                return Halve("not_listed", str(answer["errors"][0]), tuple(known.values()))
    return [known.get(member.key) or Accepted(member.key) for member in batch.members]


def _why(error: Mapping[str, Any]) -> tuple[str, str]:
    code, texts = next(iter(error["error_data"].items()), ("refused", [error.get("status")]))
    return str(code), "; ".join(str(each) for each in texts)


def _url(settings: Settings, *parts: str | int) -> str:
    return address(settings.host, "api", "v1", *parts)


def headers(account: Account[Settings]) -> dict[str, str]:
    pair = f"{account.settings.api_key.reveal()}:".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def classify(response: Response) -> Verdict:
    return Verdict.UNAVAILABLE if response.status in (404, 409) else by_status(response)


def check(account: Account[Settings]) -> Steps[str]:
    settings = account.settings
    if settings.list_id is None:
        yield Request("GET", _url(settings, "custom_user_lists", "seed_lists"), harmless=True)
        return "the key is a user's, and good"
    found = yield Request("GET", _url(settings, "custom_user_lists", "id", settings.list_id), harmless=True)
    fits = "as it must be" if found.json["source"] == settings.id_property else f"and NOT for {settings.id_property}"
    return f"the list answers; it is for {found.json['source']}, {fits}"


DESTINATION = Destination(
    title="Blueshift",
    docs="https://developer.blueshift.com/reference/post_api-v1-customers-bulk",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.AUDIENCE}),
    # How an attribute is emptied is not documented, so nulls are left out.
    fields=(
        Field("customer_id", text, null=Null.OMIT),
        Field("email", email, max_length=63, null=Null.OMIT),  # "less than 64 characters"
        Field("phone_number", phone, max_length=15, null=Null.OMIT),  # "6 to 14", besides the +
    ),
    extra=Field("any", null=Null.OMIT),
    identity=("customer_id", "email"),
    named_by=lambda settings: (settings.id_property,),
    limits=Limits(rows=50, rates=(Rate(5, 1),), concurrency=2),  # "50 customers per API call", "5 per second"
    resend=Resend.SAFE,
    encode=encode,
    push=push,
    headers=headers,
    classify=classify,
    check=check,
)
