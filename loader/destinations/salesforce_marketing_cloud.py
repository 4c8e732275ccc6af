"""Salesforce Marketing Cloud: rows of a data extension, with the asynchronous API.

API      https://developer.salesforce.com/docs/marketing/marketing-cloud/guide/data-extensions-api.html, read 2026-11
Matches  the sync's key, in the column `key`, which is the data extension's only primary key
Answers  a request id, asked for until it is done; then one result per row, in the order that was sent, in pages
Leaves   `flag` becomes false: rows are never deleted, for Salesforce documents no way to do so
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from loader.core.audience import Accepted, Batch, Failed, Job, Member, Mode, Op, Outcome, Refused, Rejected, Result
from loader.core.audience import accepted as all_accepted
from loader.core.destination import Account, Destination, Limits, Resend, Steps
from loader.core.fields import Field
from loader.core.http import Request, address
from loader.core.oauth import bearer
from loader.core.settings import Record, Secret

_MOST_PAGES = 1_000


class Settings(Record, frozen=True):
    """A data extension, and an installed package that may write to it."""

    subdomain: Annotated[str, Meta(pattern="^[A-Za-z0-9-]+$")]  # of your tenant: mc563885gzs27c5t9-63k636ttgm
    client_id: str
    client_secret: Secret
    data_extension: str  # its external key
    key: str = "SubscriberKey"
    flag: str | None = None  # a boolean column that is true for those who are in the audience
    account_id: str | None = None  # of a business unit
    # What empties a column. No page says that null does for every type; "text" is the empty text.
    empty: Literal["null", "text"] = "null"
    auth_host: str | None = None  # else that of the subdomain


def login(own: Settings, _: int) -> Steps[Mapping[str, str]]:
    host = own.auth_host or f"https://{own.subdomain}.auth.marketingcloudapis.com"
    body = {"grant_type": "client_credentials", "client_id": own.client_id, "client_secret": own.client_secret.reveal()}
    unit = {"account_id": own.account_id} if own.account_id else {}
    found = (yield Request("POST", address(host, "v2", "token"), json=body | unit)).json
    return {"token": found["access_token"], "url": found["rest_instance_url"]}


def encode(own: Settings, member: Member) -> Mapping[str, Any] | Refused:
    flag = {own.flag: member.op is not Op.REMOVE} if own.flag else {}
    if member.op is Op.REMOVE and not flag:
        return Refused("no_flag", "set `flag`: without it nothing says who has left")
    empty = "" if own.empty == "text" else None
    cells = {name: empty if value is None else value for name, value in member.fields.items()}
    return {**cells, **flag, own.key: member.key}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    extension = account.settings.data_extension
    # The colon is as the page has it.
    url = f"{_url(account, 'data', 'v1', 'async', 'dataextensions')}/key:{address('', extension)[1:]}/rows"
    found = yield Request("PUT", url, json={"items": [member.raw for member in batch.members]})
    return Job(str(found.json["requestId"]), check_after_seconds=20)


def poll(account: Account[Settings], job: Job, batch: Batch) -> Steps[Result]:
    about = (yield Request("GET", _url(account, "data", "v1", "async", job.id, "status"), harmless=True)).json
    status = about.get("status") or {}  # there is none before the request is picked up
    if status.get("requestStatus") not in ("Complete", "Completed", "Error"):
        return job
    if status["requestStatus"] != "Error" and status.get("hasErrors") is False:
        return all_accepted(batch)
    items: list[Mapping[str, Any]] = []
    for page in range(1, _MOST_PAGES):
        query = {"page": page, "pageSize": 2_500}
        results = address(_url(account, "data", "v1", "async", job.id, "results"), **query)
        found = (yield Request("GET", results, harmless=True)).json
        items += found["items"] if found.get("page", page) == page else []
        if len(items) >= int(found["count"]) or not found["items"] or found.get("page", page) != page:
            break
    if len(items) != len(batch.members):
        text = f"there are {len(items):,} results for {len(batch.members):,} rows, so nobody knows whose they are"
        return [Failed(member.key, "results_incomplete", text) for member in batch.members]
    return [_outcome(member, item) for member, item in zip(batch.members, items, strict=True)]


def _outcome(member: Member, item: Mapping[str, Any]) -> Outcome:
    code, message = str(item.get("errorCode") or "Error"), str(item.get("message", ""))
    if str(item.get("status", "")).upper() in ("OK", "SUCCESS"):
        return Accepted(member.key)
    return (Failed if "rerun the transaction" in message.lower() else Rejected)(member.key, code, message)


def _url(account: Account[Settings], *parts: str) -> str:
    return address(account.session["url"], *parts)


def check(account: Account[Settings]) -> Steps[str]:
    name = account.settings.data_extension
    url = address(_url(account, "data", "v1", "customobjectdata", "key", name, "rowset"), **{"$pagesize": 1})
    found = (yield Request("GET", url, harmless=True)).json
    return f"the data extension {name!r} has {found['count']} rows"


DESTINATION = Destination(
    title="Salesforce Marketing Cloud",
    docs="https://developer.salesforce.com/docs/marketing/marketing-cloud/guide/data-extensions-api.html",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.AUDIENCE}),
    fields=(),
    extra=Field("any"),
    identity=(),
    limits=Limits(rows=10_000, bytes=4_000_000),  # 30,000 rows or 5 MB; calls are counted by the year
    resend=Resend.SAFE,  # upsert by the primary key
    encode=encode,
    push=push,
    poll=poll,
    login=login,
    headers=lambda account: bearer(account.session),
    check=check,
)
