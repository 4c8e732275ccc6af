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
from loader.core.fields import Field, alike, email, text
from loader.core.http import Request, address
from loader.core.settings import Record, Secret
from loader.core.tabular import text_cell


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
    values = {name: text_cell(value) for name, value in member.fields.items()} | flag
    named = {"idProperty": settings.id_property, "id": str(who)}
    return {**named, "properties": values, "objectWriteTraceId": member.version}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings = account.settings
    if batch.removes and (batch.mode is Mode.MIRROR or not settings.flag or settings.list_id):
        ids = [member.remote_id for member in batch.members if member.remote_id]
        if ids and batch.mode is Mode.MIRROR:
            url = address(settings.host, "crm", "v3", "objects", settings.object, "batch", "archive")
            yield Request("POST", url, json={"inputs": [{"id": each} for each in ids]})
        elif ids and settings.list_id:
            yield _membership(settings, ids, "recordIdsToRemove")
        return accepted(batch)
    verb = "update" if batch.mode is Mode.UPDATE or batch.removes else "upsert"
    url = address(settings.host, "crm", "v3", "objects", settings.object, "batch", verb)
    answer = (yield Request("POST", url, json={"inputs": [member.raw for member in batch.members]})).json
    outcomes = _outcomes(batch, answer or {})
    joined = [each.remote_id for each in outcomes if isinstance(each, Accepted) and each.remote_id]
    if settings.list_id and joined:
        yield _membership(settings, joined, "recordIdsToAdd")
    return outcomes


def _outcomes(batch: Batch, answer: Mapping[str, Any]) -> list[Outcome]:
    ids = {str(each["objectWriteTraceId"]): str(each["id"]) for each in answer.get("results", [])}
    errors = {
        str(trace): (str(each["category"]), str(each.get("subCategory", "refused by HubSpot")))
        for each in answer.get("errors", [])
        for trace in each["context"]["objectWriteTraceId"]
    }
    return [_outcome(member, ids, *errors.get(member.version, ("", ""))) for member in batch.members]


def _outcome(member: Member, ids: Mapping[str, str], code: str, message: str) -> Outcome:
    if member.version in ids or (code == "OBJECT_NOT_FOUND" and member.op is Op.REMOVE):
        return Accepted(member.key, ids.get(member.version))
    return Rejected(member.key, code, message) if code else Failed(member.key, "no_answer", "the row is not named")


def adopt(account: Account[Settings], batch: Batch) -> Steps[Mapping[str, str]]:
    own, wanted = account.settings, {str(member.payload["id"]).lower(): member for member in batch.members}
    names = sorted({name for member in batch.members for name in member.payload["properties"]} | {own.id_property})
    body = {"idProperty": own.id_property, "properties": names, "inputs": [{"id": each} for each in wanted]}
    url = address(own.host, "crm", "v3", "objects", own.object, "batch", "read")
    found = (yield Request("POST", url, json=body, harmless=True)).json["results"]
    pairs = [(wanted.get(str(each["properties"][own.id_property]).lower()), each) for each in found]
    equal = [(m.key, each["id"]) for m, each in pairs if m and alike(m.payload["properties"], each["properties"])]
    same = {key: str(found_id) for key, found_id in equal}
    if own.list_id and same:
        yield _membership(own, [*same.values()], "recordIdsToAdd")  # whoever is on it stays on it
    return same


def _membership(settings: Settings, ids: list[str], change: str) -> Request:
    url = address(settings.host, "crm", "v3", "lists", str(settings.list_id), "memberships", "add-and-remove")
    return Request("PUT", url, json={"recordIdsToAdd": [], "recordIdsToRemove": [], change: ids})


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
    adopt=adopt,
    headers=lambda account: {"Authorization": f"Bearer {account.settings.token.reveal()}"},
    check=check,
)
