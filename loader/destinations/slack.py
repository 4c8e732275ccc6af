"""Slack: messages in a channel, by an incoming webhook. Up to 20 rows are one message; `max_rows = 1` posts each alone.

API      https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, read 2026-11
         https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks
Matches  nobody: what is posted is posted, and cannot be taken back
Answers  200 and `ok`, else a word like `no_service` or `channel_is_archived`
Twice    a message is posted again: of whom a request without an answer spoke is unknown, and a person decides
"""

import re
from collections.abc import Mapping
from typing import Any

from loader.core.audience import Batch, Member, Mode, Refused, Result, accepted
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, text
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

_WORD = re.compile(r"[a-z_]+")
_EMPTY = ("no_text", "missing_text_or_fallback_or_attachments")
_REMEDIES = {
    "no_service": "the webhook was removed; make another and set `webhook`",
    "invalid_token": "there is no such webhook; copy its address again",
    "action_prohibited": "the workspace does not let this webhook post there",
    "channel_not_found": "the channel was deleted; make a webhook for another",
    "channel_is_archived": "the channel is archived; make a webhook for another",
}


class Settings(Record, frozen=True):
    """A webhook, which posts into one channel."""

    webhook: Secret  # its whole address, or what stands behind /services/ in it
    title: str | None = None  # above the rows; the name of the sync if there is none
    host: str = "https://hooks.slack.com"


def encode(_: Settings, member: Member) -> Mapping[str, Any] | Refused:
    """Return the row's line: its `text`, or else its fields. Slack's signs are escaped, so no row can call @channel."""
    if (line := member.fields.get("text")) is None:
        told = [f"{name}: {value}" for name, value in member.fields.items() if value is not None]
        line = ", ".join(told)
    if not line:
        return Refused("empty", "there is nothing to post")
    return {"line": line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    rows = [f"• {member.payload['line']}" for member in batch.members]
    yield _message(account.settings, "\n".join([f"*{account.settings.title or batch.sync}*", *rows]))
    return accepted(batch)


def _message(settings: Settings, text: str) -> Request:
    named = settings.webhook.reveal().rpartition("/services/")[2]
    return Request("POST", address(settings.host, "services", *named.split("/")), json={"text": text})


def classify(response: Response) -> Verdict:
    # The check posts an empty text, which only a webhook that could post has an answer to.
    return Verdict.ANSWER if response.status == 400 and response.text in _EMPTY else by_status(response)


def explain(response: Response) -> tuple[str, str]:
    word = response.text if _WORD.fullmatch(response.text) else f"http_{response.status}"
    return word, _REMEDIES.get(word, response.text)


def check(account: Account[Settings]) -> Steps[str]:
    yield _message(account.settings, "")
    return "the webhook is there, and may post"


DESTINATION = Destination(
    title="Slack",
    docs="https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT}),
    fields=(Field("text", text, max_length=2_500),),
    extra=Field("any", null=Null.OMIT),
    identity=(),
    # One message a second, with short bursts. Above 4,000 characters Slack splits a message, above 40,000 it cuts it.
    limits=Limits(rows=20, bytes=3_800, row_bytes=3_000, rates=(Rate(1, 1),)),
    resend=Resend.UNSAFE,
    encode=encode,
    push=push,
    classify=classify,
    explain=explain,
    check=check,
)
