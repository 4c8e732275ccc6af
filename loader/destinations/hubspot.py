"""HubSpot: records of any object type, and a list for those who are in the audience.

API      https://developers.hubspot.com/docs/api/crm/contacts (batch), .../crm/lists, read 2025-11
Matches  email (contacts), or a property `external_id` with unique values, which you make for other objects
Answers  207 with `errors` that name rows by the trace id that each was sent with; a 2xx that names nobody took nobody
Leaves   the list, if `list_id` is set, else `flag` becomes false; with mode = "mirror" the record is archived
"""

from collections.abc import Mapping
from typing import Any, Literal

from loader.core.audience import Accepted, Batch, Failed, Member, Mode, Op, Outcome, Refused, Rejected, Result, accepted
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, email, text
from loader.core.http import Request, address
from loader.core.settings import Record, Secret


class Settings(Record, frozen=True):
    """A portal of HubSpot."""

    token: Secret  # of a private app
    object: str = "contacts"
    id_property: Literal["email", "external_id"] = "email"
    flag: str | None = None  # a property that is true for those who are in the audience
    list_id: str | None = None  # a list made by hand, of static membership
    host: str = "https://api.hubapi.com"


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    who = member.fields.get(settings.id_property)
    if who is None:
        return Refused("no_identifier", f"map a column to {settings.id_property}, the property that names a record")
    flag = {settings.flag: "false" if member.op is Op.REMOVE else "true"} if settings.flag else {}
    values = {name: _written(value) for name, value in member.fields.items()} | flag
    named = {"idProperty": settings.id_property, "id": str(who)}
    return {**named, "properties": values, "objectWriteTraceId": member.version}


def _written(value: Any) -> Any:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings = account.settings
    if batch.removes and (batch.mode is Mode.MIRROR or not settings.flag or settings.list_id):
        yield from _left(settings, batch)
        return accepted(batch)
    verb = "update" if batch.mode is Mode.UPDATE or batch.removes else "upsert"
    rows = [member.raw for member in batch.members]
    url = address(settings.host, "crm", "v3", "objects", settings.object, "batch", verb)
    answer = (yield Request("POST", url, json={"inputs": rows})).json
    outcomes = _outcomes(batch, answer or {}, absent_is_fine=batch.removes)
    joined = [each.remote_id for each in outcomes if isinstance(each, Accepted) and each.remote_id]
    if settings.list_id and joined:
        yield _membership(settings, joined, "recordIdsToAdd")
    return outcomes


def _outcomes(batch: Batch, answer: Mapping[str, Any], *, absent_is_fine: bool) -> list[Outcome]:
    ids = {str(each["objectWriteTraceId"]): str(each["id"]) for each in answer.get("results", [])}
    errors = {
        str(trace): (str(each["category"]), str(each.get("subCategory", "refused by HubSpot")))
        for each in answer.get("errors", [])
        for trace in each["context"]["objectWriteTraceId"]
    }
    outcomes: list[Outcome] = []
    for member in batch.members:
        code, message = errors.get(member.version, ("", ""))
        if member.version in ids or (code == "OBJECT_NOT_FOUND" and absent_is_fine):
            outcomes.append(Accepted(member.key, ids.get(member.version)))
        elif code:
            outcomes.append(Rejected(member.key, code, message))
        else:
            outcomes.append(Failed(member.key, "no_answer", "the answer does not name the row"))
    return outcomes


def _left(settings: Settings, batch: Batch) -> Steps[None]:
    ids = [member.remote_id for member in batch.members if member.remote_id]
    if ids and batch.mode is Mode.MIRROR:
        url = address(settings.host, "crm", "v3", "objects", settings.object, "batch", "archive")
        yield Request("POST", url, json={"inputs": [{"id": each} for each in ids]})
    elif ids and settings.list_id:
        yield _membership(settings, ids, "recordIdsToRemove")


def _membership(settings: Settings, ids: list[str], change: str) -> Request:
    body = {"recordIdsToAdd": [], "recordIdsToRemove": [], change: ids}
    url = address(settings.host, "crm", "v3", "lists", str(settings.list_id), "memberships", "add-and-remove")
    return Request("PUT", url, json=body)


def headers(account: Account[Settings]) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.settings.token.reveal()}"}


def check(account: Account[Settings]) -> Steps[str]:
    settings = account.settings
    found = yield Request("GET", address(settings.host, "crm", "v3", "properties", settings.object), harmless=True)
    unique = {each["name"] for each in found.json["results"] if each.get("hasUniqueValue")} | {"email"}
    return f"the token reads {settings.object}; {settings.id_property} unique: {settings.id_property in unique}"


DESTINATION = Destination(
    title="HubSpot",
    docs="https://developers.hubspot.com/docs/api/crm/contacts",
    settings=Settings,
    modes=frozenset({Mode.UPDATE, Mode.UPSERT, Mode.MIRROR, Mode.AUDIENCE}),
    fields=(Field("email", email, max_length=254), Field("external_id", text)),
    extra=Field("any"),
    identity=("email", "external_id"),
    named_by=lambda settings: (settings.id_property,),
    limits=Limits(rows=100, rates=(Rate(100, 10),), concurrency=4),  # 100 inputs; 100 requests in 10 s on free portals
    resend=Resend.SAFE,  # upsert and update by a unique property
    encode=encode,
    push=push,
    headers=headers,
    check=check,
)
