"""Webhook: rows as JSON to an address of yours, signed.

API      your own: `{"sync", "run", "rows": [{"key", "op", "version", "fields"}]}`, `op` being add, change or remove
Matches  the sync's key; of a removal, only that is sent
Signed   `X-Signature: t=<seconds>,v1=<hex>`: HMAC-SHA256 of `<seconds>.<body>`, over the exact bytes of the body
Answers  2xx takes all; with `answers = "rows"`, `{"rows": [{"key", "status", "message"}]}` names those it does not take
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from loader.core.audience import Accepted, Batch, Failed, Member, Mode, Op, Outcome, Rejected, Result, accepted
from loader.core.destination import Account, Destination, Limits, Resend, Steps
from loader.core.fields import Field
from loader.core.http import Request
from loader.core.settings import Record, Secret


class Settings(Record, frozen=True):
    """Where the webhook is, and how it knows us."""

    url: str
    secret: Secret | None = None  # signs the body
    token: Secret | None = None  # sent as a bearer
    username: str | None = None
    password: Secret | None = None
    answers: Literal["status", "rows"] = "status"


def encode(_: Settings, member: Member) -> Mapping[str, Any]:
    row: dict[str, Any] = {"key": member.key, "op": member.op.value, "version": member.version}
    return row if member.op is Op.REMOVE else {**row, "fields": member.fields}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings = account.settings
    rows = [member.raw for member in batch.members]
    body = msgspec.json.encode({"sync": batch.sync, "run": batch.run, "rows": rows})
    response = yield Request(
        "POST",
        settings.url,
        body=body,
        headers={"Idempotency-Key": batch.key, **_signed(settings, body, batch.at)},
    )
    if settings.answers == "status":
        return accepted(batch)
    answers = {str(row["key"]): row for row in response.json["rows"]}
    return [_outcome(member, answers.get(member.key)) for member in batch.members]


def _outcome(member: Member, answer: Mapping[str, Any] | None) -> Outcome:
    if answer is None:
        return Failed(member.key, "no_answer", "the answer does not name the row")
    match str(answer.get("status", "")):
        case "ok":
            return Accepted(member.key)
        case "retry":
            return Failed(member.key, "retry", str(answer.get("message", "")))
        case status:
            return Rejected(member.key, status, str(answer.get("message", "")))


def _signed(settings: Settings, body: bytes, at: int) -> dict[str, str]:
    signed = {"Content-Type": "application/json"}
    if settings.secret is not None:
        key = settings.secret.reveal().encode()
        digest = hmac.new(key, f"{at}.".encode() + body, "sha256").hexdigest()
        signed["X-Signature"] = f"t={at},v1={digest}"
    return signed


def headers(account: Account[Settings]) -> dict[str, str]:
    settings = account.settings
    if settings.token is not None:
        return {"Authorization": f"Bearer {settings.token.reveal()}"}
    if settings.username is not None and settings.password is not None:
        pair = f"{settings.username}:{settings.password.reveal()}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}
    return {}


def check(account: Account[Settings]) -> Steps[str]:
    body = b'{"sync":"","run":"","rows":[]}'
    yield Request("POST", account.settings.url, body=body, headers=_signed(account.settings, body, 0), harmless=True)
    return "the webhook takes an empty batch"


DESTINATION = Destination(
    title="Webhook",
    docs="https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/",
    settings=Settings,
    modes=frozenset(Mode),
    fields=(),
    extra=Field("any"),
    identity=(),
    limits=Limits(rows=1_000, bytes=4_000_000, concurrency=4),
    resend=Resend.KEYED,
    encode=encode,
    push=push,
    headers=headers,
    check=check,
)
