"""WebEngage: users, with an attribute for those who are in the audience.

API      https://docs.webengage.com/docs/bulk-user-api, .../rest-api-tracking-users, read 2026-11
Matches  userId, else anonymousId, which WebEngage ignores beside it; neither can be changed once it is given
Answers  201 says that the users are queued, no more; 400 takes none of them and names nobody: halving finds who
Leaves   `attribute` becomes false; users are erased over another API, at a request each
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from loader.core.audience import Batch, Halve, Member, Mode, Op, Refused, Result, accepted
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, boolean, email, lowered, moment, phone, plain, text
from loader.core.http import Request, Response, Verdict, address, by_status, explained
from loader.core.settings import Record, Secret

IDENTITY = ("userId", "anonymousId")
_HASHED = ("hashedEmail", "hashedPhone")  # for accounts that keep personal data elsewhere
_TEXTS = ("firstName", "lastName", "company")
_OPTED = ("emailOptIn", "smsOptIn", "whatsappOptIn")
_OWN = {*IDENTITY, *_TEXTS, *_HASHED, *_OPTED, "birthDate", "gender", "email", "phone"}


class Settings(Record, frozen=True):
    """An account of WebEngage."""

    api_key: Secret
    license_code: str
    attribute: str | None = None  # true for those who are in the audience
    host: str = "https://api.webengage.com"  # India: https://api.in.webengage.com


def when(value: Any) -> str:
    """Return a time as WebEngage writes them, with an offset that has no colon."""
    return f"{moment(value):%Y-%m-%dT%H:%M:%S}+0000"


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    leaves, fields = member.op is Op.REMOVE, member.fields
    if leaves and settings.attribute is None:
        return Refused("cannot_leave", "set `attribute`, which then is false for those who left")
    values = {name: value for name, value in fields.items() if name not in _OWN}
    if taken := [name for name in values if name.startswith("we_")]:
        return Refused("invalid_field", f"{taken[0]!r} begins as the names of WebEngage's own attributes do")
    flag = {settings.attribute: not leaves} if settings.attribute else {}
    return {**{name: fields[name] for name in fields if name in _OWN}, "attributes": {**values, **flag}}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    response = yield _users(account.settings, [member.raw for member in batch.members])
    return Halve(*explained(response)) if response.status == 400 else accepted(batch)


def _users(settings: Settings, rows: list[Any]) -> Request:
    url = address(settings.host, "v1", "accounts", settings.license_code, "bulk-users")
    return Request("POST", url, json={"users": rows}, harmless=not rows)


def headers(account: Account[Settings]) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.settings.api_key.reveal()}"}


def classify(response: Response) -> Verdict:
    return Verdict.ANSWER if response.status == 400 else by_status(response)  # `push` halves, `check` sends nobody


def check(account: Account[Settings]) -> Steps[str]:
    yield _users(account.settings, [])
    return "the key may write into the account"


DESTINATION = Destination(
    title="WebEngage",
    docs="https://docs.webengage.com/docs/bulk-user-api",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.AUDIENCE}),
    # How an attribute is emptied is not documented, so nulls are left out.
    fields=(
        *(Field(name, text, max_length=100, null=Null.OMIT) for name in IDENTITY),
        *(Field(name, text, null=Null.OMIT) for name in _TEXTS),
        *(Field(name, lowered, null=Null.OMIT) for name in (*_HASHED, "gender")),
        *(Field(name, boolean, null=Null.OMIT) for name in _OPTED),
        Field("birthDate", when, null=Null.OMIT),
        Field("email", email, max_length=254, null=Null.OMIT),
        Field("phone", phone, null=Null.OMIT),
    ),
    extra=Field("any", lambda value: when(value) if isinstance(value, date) else plain(value), null=Null.OMIT),
    identity=IDENTITY,
    named_by=lambda _: IDENTITY,
    # No public page has them: 25 users a request and 5,000 requests a minute are told; 40 a second is cautious.
    limits=Limits(rows=25, row_bytes=100_000, rates=(Rate(40, 1),), concurrency=4),
    resend=Resend.SAFE,
    encode=encode,
    push=push,
    headers=headers,
    classify=classify,
    check=check,
)
