"""Iterable: users, and a static list for those who are in the audience.

API      https://api.iterable.com/api/docs (users/bulkUpdate, lists/subscribe, lists/unsubscribe), read 2026-11
Matches  by the project's kind: email, userId, or either; one of them names the user, the other is a field like any
Answers  200 also when users were refused: `failedUpdates` names them by address or id, and `failCount` counts them
Leaves   the list, never the channel; with mode = "mirror" the user is deleted, which Iterable does in its own time
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from loader.core.audience import Accepted, Batch, Halve, Member, Mode, Op, Refused, Rejected, Result, refused_by_value
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, email, moment, plain, text
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

# https://support.iterable.com/hc/articles/29156459027348: who is looked for, where a row has both.
NAMED = {"email": ("email", "userId"), "userId": ("userId",), "hybrid": ("userId", "email")}


class Settings(Record, frozen=True):
    """A project of Iterable."""

    api_key: Secret  # of the type server-side
    project: Literal["email", "userId", "hybrid"] = "hybrid"  # what names a user, chosen when the project was made
    list_id: int | None = None  # a static list; who is in the audience is on it
    host: str = "https://api.iterable.com"  # EU: https://api.eu.iterable.com


def time(value: Any) -> Any:
    """Return times as 2026-01-31 05:00:00 +00:00, the only way in which Iterable reads them."""
    if not isinstance(value, date):
        return plain(value)
    return moment(value).isoformat(" ", "seconds").replace("+00:00", " +00:00")


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    who = next((name for name in NAMED[settings.project] if member.fields.get(name)), None)
    if who is None:
        return Refused("no_identifier", f"a project of the kind {settings.project} knows no user without userId")
    named = {who: member.fields[who]}
    if member.op is Op.REMOVE:
        return named
    fields = {name: value for name, value in member.fields.items() if name != who}
    return {**named, "dataFields": fields, **({"preferUserId": True} if who == "userId" else {})}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings, rows = account.settings, [member.raw for member in batch.members]
    if batch.removes and batch.mode is Mode.MIRROR:
        for member in batch.members:
            kind = ("byUserId",) if "userId" in member.payload else ()
            yield Request("DELETE", address(settings.host, "api", "users", *kind, *member.payload.values()))
        return [Accepted(member.key) for member in batch.members]
    if settings.list_id is None and batch.removes:
        return [Rejected(member.key, "cannot_leave", "set `list_id`, which then is left") for member in batch.members]
    verb, body = "users/bulkUpdate", dict[str, Any](users=rows)
    if settings.list_id is not None:
        verb, body = "lists/subscribe", {"listId": settings.list_id, "subscribers": rows}
    if batch.removes:  # a channel that is left is left for good: no list is worth that
        verb, body = "lists/unsubscribe", {**body, "channelUnsubscribe": False}
    return _result(batch, (yield Request("POST", address(settings.host, "api", *verb.split("/")), json=body)).json)


def _result(batch: Batch, answer: Mapping[str, Any]) -> Result:
    refused = {
        str(value): (name.removesuffix("Emails").removesuffix("UserIds"), f"Iterable names it in {name}")
        for name, values in (answer.get("failedUpdates") or {}).items()
        for value in values or ()
    }
    outcomes = refused_by_value(batch, ("email", "userId"), refused)
    bad = [each for each in outcomes if isinstance(each, Rejected)]
    gone = {each.key for each in bad if batch.removes and each.code in ("notFound", "forgotten")}
    if int(answer["failCount"]) > len(bad):
        known = tuple(each for each in bad if each.key not in gone)
        return Halve("failed", "Iterable says how many users failed, and not which", known)
    return [Accepted(each.key) if each.key in gone else each for each in outcomes]


def headers(account: Account[Settings]) -> dict[str, str]:
    return {"Api-Key": account.settings.api_key.reveal()}


def classify(response: Response) -> Verdict:
    # Of a deletion: nobody is there. Of a list that is none every batch would say the same.
    gone = (b"UnknownEmailError", b"UnknownUserIdError", b"noUserWithIdExists", b'"NotFound"')
    if response.status in (400, 404) and any(each in response.body for each in gone):
        return Verdict.ANSWER
    no_list = response.status == 400 and b"invalidListId" in response.body
    return Verdict.MISCONFIGURED if no_list else by_status(response)


def check(account: Account[Settings]) -> Steps[str]:
    found = (yield Request("GET", address(account.settings.host, "api", "lists"), harmless=True)).json["lists"]
    wanted = account.settings.list_id
    name = next((repr(each["name"]) for each in found if each["id"] == wanted), "there is NO such list")
    return f"the key reads {len(found)} lists" + (f"; {wanted}: {name}" if wanted is not None else "")


DESTINATION = Destination(
    title="Iterable",
    docs="https://api.iterable.com/api/docs",
    settings=Settings,
    modes=frozenset({Mode.UPSERT, Mode.MIRROR, Mode.AUDIENCE}),
    # An id has at most 52 characters: https://support.iterable.com/hc/articles/9216719179796
    fields=(Field("email", email, null=Null.OMIT), Field("userId", text, max_length=52, null=Null.OMIT)),
    extra=Field("any", time),
    identity=("email", "userId"),
    named_by=lambda settings: NAMED[settings.project],
    # 4 MB and 5 requests a second for bulkUpdate. 1,000 users are what others send: Iterable says no number.
    limits=Limits(rows=1_000, bytes=3_900_000, rates=(Rate(5, 1),), concurrency=2),
    resend=Resend.SAFE,
    encode=encode,
    push=push,
    headers=headers,
    classify=classify,
    check=check,
)
