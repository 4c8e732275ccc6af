"""Webhook: rows as JSON to an address of yours, signed.

API      your own: `{"sync", "run", "rows": [{"key", "op", "version", "fields"}]}`, `op` being add, change or remove
Matches  the sync's key; of a removal, only that is sent
Signed   `X-Signature: t=<seconds>,v1=<hex>`: HMAC-SHA256 of `<seconds>.<body>`, over the exact bytes of the body
Answers  2xx takes all; with `answers = "rows"`, `{"rows": [{"key", "status", "message"}]}` names those it does not;
         202 with a Location works on it: that address is asked until it answers something else than 202
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from loader.core.audience import Accepted, Batch, Failed, Job, Member, Mode, Op, Outcome, Rejected, Result, accepted
from loader.core.destination import Account, Destination, Limits, Resend, Steps
from loader.core.fields import Field
from loader.core.http import Request, Response
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
    fields = {} if member.op is Op.REMOVE else {"fields": member.fields}
    return {"key": member.key, "op": member.op.value, "version": member.version, **fields}


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
    return _result(settings, batch, response)


def poll(account: Account[Settings], job: Job, batch: Batch) -> Steps[Result]:
    response = yield Request("GET", _origin(account.settings) + job.id, harmless=True)
    return job if response.status == 202 else _result(account.settings, batch, response)


def _result(settings: Settings, batch: Batch, response: Response) -> Result:
    if response.status == 202 and "location" in response.headers:
        where = response.headers["location"].removeprefix(_origin(settings))
        return Job(where if where.startswith("/") else f"/{where}", check_after_seconds=1)  # never another host
    if settings.answers == "status":
        return accepted(batch)
    answers = {str(row["key"]): row for row in response.json["rows"]}
    return [_outcome(member, answers.get(member.key)) for member in batch.members]


def _origin(settings: Settings) -> str:
    return "/".join(settings.url.split("/")[:3])


def _outcome(member: Member, answer: Mapping[str, Any] | None) -> Outcome:
    if answer is None:
        return Failed(member.key, "no_answer", "the answer does not name the row")
    status, message = str(answer.get("status", "")), str(answer.get("message", ""))
    if status == "ok":
        return Accepted(member.key)
    return (Failed if status == "retry" else Rejected)(member.key, status, message)


def _signed(settings: Settings, body: bytes, at: int) -> dict[str, str]:
    if settings.secret is None:
        return {"Content-Type": "application/json"}
    digest = hmac.new(settings.secret.reveal().encode(), f"{at}.".encode() + body, "sha256").hexdigest()
    return {"Content-Type": "application/json", "X-Signature": f"t={at},v1={digest}"}


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
    poll=poll,
    headers=headers,
    check=check,
)
