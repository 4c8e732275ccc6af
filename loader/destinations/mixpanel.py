"""Mixpanel: profiles of people, or events.

API      https://docs.mixpanel.com/reference/profile-batch-update, .../import-events, read 2026-11
Matches  distinct_id; words that stand for nobody, like "null", are refused, as Mixpanel does
Answers  events: 400 names those that it did not take by their place, and took the others. Profiles: 200 also for what
         is wrong, and with any token: so the log-in sends an event that cannot be, which is told to a good token only
Leaves   `property` becomes false; with mode = "mirror" the profile is deleted
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal

from loader.core.audience import Batch, Halve, Member, Mode, Op, Refused, Rejected, Result, accepted, refused_by_index
from loader.core.destination import Account, Destination, Limits, Resend, Steps
from loader.core.fields import Field, Null, email, phone, text, unix_seconds
from loader.core.http import Request, Verdict, address, by_status
from loader.core.settings import Record, Secret

_WORDS = "anon anonymous nil none null n/a na undefined unknown <nil> 0 -1 true false [] {}"
NOBODY = {*_WORDS.split(), "00000000-0000-0000-0000-000000000000"}


class Settings(Record, frozen=True):
    """A project of Mixpanel."""

    token: Secret  # of the project
    sends: Literal["profiles", "events"] = "profiles"
    event: str = "Audience Entered"
    property: str | None = None  # true for those who are in the audience
    host: str = "https://api.mixpanel.com"  # EU: https://api-eu.mixpanel.com; India: https://api-in.mixpanel.com


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    leaves, fields = member.op is Op.REMOVE, dict(member.fields)
    who, at = fields.pop("distinct_id"), fields.pop("time", None)
    if who.lower() in NOBODY:
        return Refused("invalid_value", "distinct_id is a word for nobody, which Mixpanel does not take")
    if settings.sends == "events":
        if leaves or at is None:  # the time is of what Mixpanel knows an event again by
            return Refused("cannot_leave" if leaves else "no_time", "an event is not taken back, and needs a `time`")
        own = {"time": at, "distinct_id": who, "$insert_id": member.version}
        return {"event": settings.event, "properties": {**fields, **own}}
    flag = {settings.property: not leaves} if settings.property else {}
    kept = {name: value for name, value in fields.items() if value is not None} | flag
    unset = [name for name in fields if name not in kept]
    return {"$distinct_id": who, "changes": [{"$set": kept}, *([{"$unset": unset}] if unset else [])]}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings, mirrors = account.settings, batch.mode is Mode.MIRROR
    if settings.sends == "events":
        answer = (yield _imported(settings, [member.raw for member in batch.members])).json
        failed = {int(each["index"]): _why(each) for each in answer.get("failed_records", [])}
        taken = failed or answer["code"] == 200
        return refused_by_index(batch, failed) if taken else Halve("refused", str(answer.get("error")))
    if batch.removes and not mirrors and settings.property is None:
        return [Rejected(each.key, "cannot_leave", "set `property` for those who leave") for each in batch.members]
    gone = [{"$delete": "null", "$ignore_alias": True}] if batch.removes and mirrors else None  # nobody's other alias
    pairs = [(member, each) for member in batch.members for each in gone or member.payload["changes"]]
    own = {"$token": settings.token.reveal()}
    rows = [{**own, "$distinct_id": member.payload["$distinct_id"], **each} for member, each in pairs]
    url = address(settings.host, "engage", ip=0, strict=1, verbose=1)  # ip=0: nobody lives where this runs
    answer = (yield Request("POST", url, json=rows)).json
    told: dict[str, Any] = answer if isinstance(answer, dict) else {"error": None if answer else "none was valid"}
    if not told.get("error"):
        return accepted(batch)
    known = {pairs[int(each["index"])][0].key: _why(each) for each in told.get("failed_records", [])}
    # Whether the others were taken is documented for events only; to set them again is harmless.
    return Halve("refused", str(told["error"]), tuple(Rejected(key, *why) for key, why in known.items()))


def _why(failed: Mapping[str, Any]) -> tuple[str, str]:
    return "invalid_record", f"{failed.get('field')}: {failed['message']}"


def _imported(settings: Settings, events: list[Any]) -> Request:
    return Request("POST", address(settings.host, "import", strict=1), json=events)


def login(settings: Settings, _: int) -> Steps[Mapping[str, str]]:
    yield _imported(settings, [{"event": "", "properties": {}}])
    return {"token": "is of a project"}


def headers(account: Account[Settings]) -> dict[str, str]:
    pair = f"{account.settings.token.reveal()}:".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def check(account: Account[Settings]) -> Steps[str]:
    yield from login(account.settings, 0)
    return "the token is of a project"


DESTINATION = Destination(
    title="Mixpanel",
    docs="https://docs.mixpanel.com/reference/profile-batch-update",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.MIRROR, Mode.AUDIENCE}),
    fields=(
        Field("distinct_id", text, max_length=255, required=True),
        Field("time", unix_seconds, null=Null.OMIT),
        Field("$email", email, max_length=254),
        Field("$phone", phone),
    ),
    extra=Field("any"),
    identity=("distinct_id",),
    # 2,000 changes a request, and a profile may need two; 1 MB each; 2 MB a request, of which tokens take some.
    limits=Limits(rows=1_000, bytes=1_500_000, row_bytes=990_000, concurrency=4),
    resend=Resend.KEYED,  # events by time, distinct_id and $insert_id; to set a profile again is harmless
    encode=encode,
    push=push,
    login=login,
    headers=headers,
    # 400 tells whom it did not take; to a log-in, that the token is known.
    classify=lambda response: Verdict.ANSWER if response.status == 400 else by_status(response),
    check=check,
)
