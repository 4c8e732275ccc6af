"""Mailchimp: members of a list, and a tag for those who are in the audience.

API      https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/, read 2025-11
Matches  the address, in small letters; MD5 of it is the member's id
Answers  200 also when members were refused: `errors` names them by address, as Mailchimp writes it
Leaves   the tag becomes inactive, or with mode = "mirror" the member is archived; a member is never unsubscribed
"""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import md5
from typing import Any, Literal

from loader.core.audience import Accepted, Batch, Member, Mode, Op, Outcome, Refused, Result, refused_by_value
from loader.core.destination import Account, Destination, Limits, Resend, Steps
from loader.core.fields import Field, Null, email, lowered
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

_GONE = (404, 405)  # archived already, or never there
_TAKEN = "already a list member"


class Settings(Record, frozen=True):
    """An audience of a Mailchimp account."""

    api_key: Secret  # ends in `-us6`: the data centre
    list_id: str
    tag: str | None = None  # whoever is in the audience has it
    status_if_new: Literal["subscribed", "pending", "transactional", "unsubscribed"] = "subscribed"
    host: str | None = None  # from the key's data centre


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    fields = dict(member.fields)
    where = fields.pop("email", None)
    if member.op is Op.REMOVE:
        return {"email_address": where}
    found: dict[str, Any] = {"email_address": where, "status_if_new": settings.status_if_new}
    if status := fields.pop("status", None):  # only where it is mapped: it subscribes again who had left
        found["status"] = status
    merge = {name: _merged(value) for name, value in fields.items()}
    if long := [name for name in merge if len(name) > 10 or name != name.upper()]:
        return Refused("invalid_field", f"merge tags have at most 10 capital letters: {', '.join(sorted(long))}")
    return {**found, "merge_fields": merge, **({"tags": [settings.tag]} if settings.tag else {})}


def _merged(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else value


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    if batch.removes:
        outcomes: list[Outcome] = []
        for member in batch.members:
            yield from _left(account.settings, batch.mode, str(member.fields["email"]))
            outcomes.append(Accepted(member.key))
        return outcomes
    rows = [member.raw for member in batch.members]
    url = address(_host(account.settings), "lists", account.settings.list_id, skip_merge_validation="true")
    response = yield Request("POST", url, json={"members": rows, "update_existing": batch.mode is not Mode.INSERT})
    errors = {
        str(each["email_address"]): (str(each.get("error_code", "refused")), _without_address(each))
        for each in response.json["errors"]
        if _TAKEN not in str(each.get("error", ""))  # with mode = "insert": there already is what was wanted
    }
    return refused_by_value(batch, ("email",), errors)


def _without_address(error: Mapping[str, Any]) -> str:
    return str(error.get("error", "")).replace(str(error["email_address"]), "the address")


def _left(settings: Settings, mode: Mode, where: str) -> Steps[None]:
    person = md5(where.lower().encode(), usedforsecurity=False).hexdigest()
    url = address(_host(settings), "lists", settings.list_id, "members", person)
    if mode is Mode.MIRROR:
        yield Request("DELETE", url)
    elif settings.tag:
        yield Request("POST", f"{url}/tags", json={"tags": [{"name": settings.tag, "status": "inactive"}]})


def _host(settings: Settings) -> str:
    centre = settings.api_key.reveal().rpartition("-")[2]
    return settings.host or f"https://{centre}.api.mailchimp.com/3.0"


def headers(account: Account[Settings]) -> dict[str, str]:
    pair = f"loader:{account.settings.api_key.reveal()}".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def classify(response: Response) -> Verdict:
    return Verdict.ANSWER if response.status in _GONE else by_status(response)


def check(account: Account[Settings]) -> Steps[str]:
    url = address(_host(account.settings), "lists", account.settings.list_id, fields="name,stats.member_count")
    response = yield Request("GET", url, harmless=True)
    return f"the list {response.json['name']!r} answers"


DESTINATION = Destination(
    title="Mailchimp",
    docs="https://mailchimp.com/developer/marketing/api/lists/",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.MIRROR, Mode.AUDIENCE}),
    fields=(Field("email", email, max_length=254, required=True), Field("status", lowered, null=Null.OMIT)),
    extra=Field("any"),
    identity=("email",),
    limits=Limits(rows=500, concurrency=8),  # 500 members a request, 10 connections at once
    resend=Resend.SAFE,
    encode=encode,
    push=push,
    headers=headers,
    classify=classify,
    check=check,
)
