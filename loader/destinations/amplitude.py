"""Amplitude: user properties or events, and a cohort for those who are in the audience.

API      https://amplitude.com/docs/apis/analytics/batch-event-upload, .../behavioral-cohorts, read 2026-11
Matches  user_id or device_id, of five letters at least; a cohort knows people by user_id
Answers  400 names events by their place, and then none was taken; a cohort names whom it skipped: those it never saw
Leaves   the cohort, and `property` becomes false; a property shows from the user's next event on
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal

from loader.core.audience import Accepted, Batch, Halve, Member, Mode, Op, Refused, Rejected, Result, accepted
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, moment, text
from loader.core.http import Request, Response, Verdict, address, by_status, explained
from loader.core.settings import Record, Secret

IDENTITY = ("user_id", "device_id")
_KINDS = ("events_with_invalid_fields", "events_with_missing_fields", "events_with_invalid_id_lengths")


class Settings(Record, frozen=True):
    """A project of Amplitude."""

    api_key: Secret
    secret_key: Secret | None = None  # for the cohort
    sends: Literal["user_properties", "event"] = "user_properties"
    event: str = "Audience Entered"
    property: str | None = None  # true for those who are in the audience
    cohort_id: str | None = None  # a static cohort, made by hand
    min_id_length: int = 5
    host: str = "https://api2.amplitude.com"  # EU: https://api.eu.amplitude.com
    cohort_host: str = "https://amplitude.com"  # EU: https://analytics.eu.amplitude.com


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    leaves, fields = member.op is Op.REMOVE, member.fields
    if leaves and not (settings.property or settings.cohort_id):
        return Refused("cannot_leave", "set `cohort_id`, or `property`, which then is false for those who left")
    sent = {name: fields[name] for name in (*IDENTITY, "time") if fields.get(name)} | {"insert_id": member.version}
    if settings.cohort_id and "user_id" not in sent:
        return Refused("no_identifier", "a cohort knows people by user_id")
    if short := [name for name in IDENTITY if name in sent and len(sent[name]) < settings.min_id_length]:
        return Refused("invalid_value", f"{short[0]} has less than {settings.min_id_length} letters: it is dropped")
    values = {name: value for name, value in fields.items() if name not in (*IDENTITY, "time")}
    flag = {settings.property: not leaves} if settings.property else {}
    if settings.sends == "event" and not leaves:
        return {**sent, "event_type": settings.event, "event_properties": values, "user_properties": flag}
    kept = {name: value for name, value in values.items() if value is not None} | flag
    parts = {"$set": kept, "$unset": {name: "-" for name, value in values.items() if value is None}}
    return {**sent, "event_type": "$identify", "user_properties": {name: each for name, each in parts.items() if each}}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings = account.settings
    if settings.property or not batch.removes:
        answer = (yield _upload(settings, [member.raw for member in batch.members])).json
        if answer["code"] != 200:
            kinds = {place: kind for kind in _KINDS for each in answer.get(kind, {}).values() for place in each}
            known = [Rejected(batch.members[place].key, kind) for place, kind in kinds.items()]
            return Halve("refused", str(answer["error"]), tuple(known))
    if settings.cohort_id is None:
        return accepted(batch)
    ids = [str(member.fields["user_id"]) for member in batch.members]
    change = {"ids": ids, "id_type": "BY_NAME", "operation": "REMOVE" if batch.removes else "ADD"}
    body = {"cohort_id": settings.cohort_id, "skip_invalid_ids": True, "memberships": [change]}
    found = yield _cohorts(settings, "POST", "membership", body=body)
    skipped = () if batch.removes else frozenset(found.json["memberships_result"][0]["skipped_ids"])
    unseen = ("skipped_id", "Amplitude has never seen this user; when it has: --retry skipped_id")
    return [Rejected(m.key, *unseen) if m.fields["user_id"] in skipped else Accepted(m.key) for m in batch.members]


def _upload(settings: Settings, rows: list[Any]) -> Request:
    body = {"api_key": settings.api_key.reveal(), "events": rows, "options": {"min_id_length": settings.min_id_length}}
    return Request("POST", address(settings.host, "batch"), json=body, harmless=not rows)


def _cohorts(settings: Settings, method: str, *parts: str, body: Any = None) -> Request:
    pair = f"{settings.api_key.reveal()}:{settings.secret_key.reveal() if settings.secret_key else ''}"
    headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    url = address(settings.cohort_host, "api", "3", "cohorts", *parts)
    return Request(method, url, json=body, headers=headers, harmless=body is None)


def classify(response: Response) -> Verdict:
    if response.status == 400 and b"Invalid API key" in response.body:
        return Verdict.UNAUTHORISED
    told = response.status == 400 and any(each in response.body for each in (b'"events_with_', b'"missing_field"'))
    return Verdict.ANSWER if told else by_status(response)


def check(account: Account[Settings]) -> Steps[str]:
    yield _upload(account.settings, [])  # a good key is told that the events are missing
    if account.settings.secret_key is None:
        return "the key is not refused"
    found = yield _cohorts(account.settings, "GET")
    return f"the keys are good, and there are {len(found.json['cohorts'])} cohorts"


DESTINATION = Destination(
    title="Amplitude",
    docs="https://amplitude.com/docs/apis/analytics/batch-event-upload",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.AUDIENCE}),
    fields=(
        *(Field(name, text, null=Null.OMIT) for name in IDENTITY),
        Field("time", lambda value: int(moment(value).timestamp() * 1_000), null=Null.OMIT),
    ),
    extra=Field("any"),
    identity=IDENTITY,
    named_by=lambda _: IDENTITY,
    limits=Limits(rows=2_000, bytes=19_000_000, rates=(Rate(100, 1),)),  # 20 MB; a cohort takes one request at a time
    resend=Resend.KEYED,  # by insert_id, for seven days
    encode=encode,
    push=push,
    classify=classify,  # what refuses a wrong key quotes the key:
    explain=lambda response: (explained(response)[0], explained(response)[1].partition(": ")[0]),
    check=check,
)
