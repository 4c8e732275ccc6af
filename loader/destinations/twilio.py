"""Twilio: a text message (SMS, or a template) for each row.

API      https://www.twilio.com/docs/messaging/api/message-resource (POST Messages.json), read 2026-11
         https://www.twilio.com/docs/api/errors
Matches  nobody: what is sent is sent, and cannot be taken back
Answers  201 with the message's SID: Twilio has it queued. What carriers make of it is not known here
Twice    a message is sent, and paid for, again: of whom a request without an answer spoke is unknown, a person decides
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from loader.core.audience import Accepted, Batch, Member, Mode, Refused, Result
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, phone, text
from loader.core.http import Request, Response, Verdict, address, by_status, explained
from loader.core.settings import Record, Secret

# What is wrong with the sender is wrong with every message: https://www.twilio.com/docs/api/errors/21606 and so on.
_SENDER = {"21212", "21603", "21606", "21701", "21703", "21705"}
_QUEUE_FULL = "21611"  # ten hours of messages wait for this sender


class Settings(Record, frozen=True):
    """An account of Twilio, and who sends. Set `sender` or `service_sid`."""

    account_sid: str  # AC…
    auth_token: Secret  # of the account; or the secret of the API key `key_sid`
    key_sid: str | None = None  # SK…
    sender: str | None = None  # a number of yours, like +14155552671, or a name where that is allowed
    service_sid: str | None = None  # MG…, a messaging service, which chooses the sender
    content_sid: str | None = None  # HX…, a template; its variables are the fields that you map beside To
    host: str = "https://api.twilio.com"


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    fields = {name: str(value) for name, value in member.fields.items() if value is not None}
    if not settings.sender and not settings.service_sid:
        return Refused("no_sender", "set `sender`, or `service_sid`")
    sender = {"MessagingServiceSid": settings.service_sid} if settings.service_sid else {"From": settings.sender}
    own: dict[str, Any] = {name: fields.pop(name) for name in ("To", "Body", "MediaUrl") if name in fields}
    if settings.content_sid:
        variables = msgspec.json.encode(fields).decode()
        return {"To": own["To"], **sender, "ContentSid": settings.content_sid, "ContentVariables": variables}
    if fields:
        return Refused("no_template", "other fields than To, Body and MediaUrl are for a template; set `content_sid`")
    return {**own, **sender} if len(own) > 1 else Refused("empty", "neither Body nor MediaUrl is set")


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    [member] = batch.members
    url = address(account.settings.host, "2010-04-01", "Accounts", account.settings.account_sid, "Messages.json")
    answer = yield Request("POST", url, form={name: str(value) for name, value in member.payload.items()})
    return [Accepted(member.key, str(answer.json["sid"]))]


def headers(account: Account[Settings]) -> dict[str, str]:
    name = account.settings.key_sid or account.settings.account_sid
    pair = f"{name}:{account.settings.auth_token.reveal()}".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def classify(response: Response) -> Verdict:
    if response.status == 400:
        code, _ = explained(response)
        return (
            Verdict.MISCONFIGURED if code in _SENDER else Verdict.THROTTLED if code == _QUEUE_FULL else Verdict.REFUSED
        )
    return by_status(response)


def check(account: Account[Settings]) -> Steps[str]:
    url = address(account.settings.host, "2010-04-01", "Accounts", f"{account.settings.account_sid}.json")
    found = (yield Request("GET", url, harmless=True)).json
    return f"the account {found['friendly_name']!r} is {found['status']}; the sender is not tried"


DESTINATION = Destination(
    title="Twilio messages",
    docs="https://www.twilio.com/docs/messaging/api/message-resource",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT}),
    fields=(
        Field("To", phone, required=True),
        Field("Body", text, max_length=1_600, null=Null.OMIT),  # characters: 21617 above
        Field("MediaUrl", text, null=Null.OMIT),
    ),
    extra=Field("any", null=Null.OMIT),
    identity=("To",),
    # Twilio names no rate for requests: it queues what a sender cannot send yet (a US number sends one a second), and
    # answers 429 above what the account may do. Ten a second is cautious.
    limits=Limits(rows=1, rates=(Rate(10, 1),), concurrency=2),
    resend=Resend.UNSAFE,
    encode=encode,
    push=push,
    headers=headers,
    classify=classify,
    check=check,
)
