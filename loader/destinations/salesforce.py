"""Salesforce: records of any object, by a field of yours that is an external id, with Bulk API 2.0.

API      https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-0-ingest.html, read 2026-11
Matches  the sync's key, kept in the field `external_id`, which you make: text, unique, external id
Answers  a job; its `successfulResults` and `failedResults` are CSV of the columns that were sent, in any order
Leaves   `flag` becomes false; with mode = "mirror" the record is deleted. Both by the id that the first job told
"""

from collections.abc import Mapping
from typing import Any

from loader.core.audience import Accepted, Batch, Failed, Job, Member, Mode, Op, Outcome, Rejected, Result
from loader.core.destination import Account, Destination, Limits, Resend, Steps
from loader.core.fields import Field
from loader.core.http import Request, Verdict, address, by_code
from loader.core.settings import Record, Secret
from loader.core.tabular import csv_bytes, csv_rows

_AGAIN = {"UNABLE_TO_LOCK_ROW", "REQUEST_RUNNING_TOO_LONG", "SERVER_UNAVAILABLE", "unprocessed"}  # later it may go
_GONE = {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"}  # of somebody who leaves
_NO_RECORD = "no_record:no job has confirmed the record, or `flag` is not set"
_CODES = {"INVALID_SESSION_ID": Verdict.UNAUTHORISED, "REQUEST_LIMIT_EXCEEDED": Verdict.THROTTLED}  # 401, 500; 403
_CODES |= dict.fromkeys(("INVALIDJOB", "INVALIDJOBSTATE"), Verdict.ANSWER)


class Settings(Record, frozen=True):
    """An org, and a connected app that may use the client credentials flow."""

    host: str  # https://mycompany.my.salesforce.com
    client_id: str
    client_secret: Secret
    external_id: str
    object: str = "Contact"
    flag: str | None = None  # a checkbox that is true for those who are in the audience
    api: str = "v60.0"  # from v53.0 on, failed rows are named by their id


def login(own: Settings, _: int) -> Steps[Mapping[str, str]]:
    form = {"grant_type": "client_credentials", "client_id": own.client_id, "client_secret": own.client_secret.reveal()}
    found = (yield Request("POST", address(own.host, "services", "oauth2", "token"), form=form)).json
    return {"token": found["access_token"], "url": address(found["instance_url"], "services", "data", own.api)}


def encode(own: Settings, member: Member) -> Mapping[str, Any]:
    if member.op is Op.REMOVE:
        return {own.flag: False} if own.flag else {}
    fields = {name: "#N/A" if value in (None, "") else value for name, value in member.fields.items()}  # else it stays
    return {**fields, **({own.flag: True} if own.flag else {}), own.external_id: member.key}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    own, deletes = account.settings, batch.mode is Mode.MIRROR
    about = {"operation": "upsert", "externalIdFieldName": own.external_id}
    rows = [member.payload for member in batch.members]
    if batch.removes:
        about = {"operation": "delete" if deletes else "update"}
        known = [member for member in batch.members if member.remote_id and (deletes or own.flag)]
        rows = [{"Id": member.remote_id, **({} if deletes else member.payload)} for member in known]
    if not rows:
        return [_outcome(member, {}, {}, _NO_RECORD) for member in batch.members]
    about |= {"object": own.object, "contentType": "CSV", "lineEnding": "CRLF"}
    jobs, body = address(account.session["url"], "jobs", "ingest"), csv_bytes(rows, delimiter=",", guard_formulas=False)
    for _ in range(3):  # a job whose data came twice, because an answer was lost, cannot be closed
        job = str((yield Request("POST", jobs, json=about)).json["id"])
        yield Request("PUT", address(jobs, job, "batches"), body=body, headers={"Content-Type": "text/csv"})
        closed = yield Request("PATCH", address(jobs, job), json={"state": "UploadComplete"})
        if closed.status != 400 or (yield _read(account, job)).json["state"] != "Open":
            return Job(job, check_after_seconds=10)
    raise ValueError("no job can be closed")


def poll(account: Account[Settings], job: Job, batch: Batch) -> Steps[Result]:
    if (info := (yield _read(account, job.id)).json)["state"] not in ("JobComplete", "Failed", "Aborted"):
        return job
    name = "sf__Id" if batch.removes else account.settings.external_id
    done = {row[name]: row["sf__Id"] for row in csv_rows((yield _read(account, job.id, "successfulResults")).body)}
    errors = {row[name]: row["sf__Error"] for row in csv_rows((yield _read(account, job.id, "failedResults")).body)}
    why = f"unprocessed:{info.get('errorMessage') or 'the job did not come to the row'}"
    return [_outcome(member, done, errors, why) for member in batch.members]


def _outcome(member: Member, done: Mapping[str, str], errors: Mapping[str, str], why: str) -> Outcome:
    who = (member.remote_id or "") if member.op is Op.REMOVE else member.key
    code, _, message = errors.get(who, why if who or not done else _NO_RECORD).partition(":")
    if who in done or (code in _GONE and member.op is Op.REMOVE):
        return Accepted(member.key, done.get(who))
    return (Failed if code in _AGAIN else Rejected)(member.key, code, message)


def _read(account: Account[Settings], job: str, *what: str) -> Request:
    return Request("GET", address(account.session["url"], "jobs", "ingest", job, *what), harmless=True)


def check(account: Account[Settings]) -> Steps[str]:
    own, where = account.settings, address(account.session["url"], "sobjects", account.settings.object, "describe")
    ids = {each["name"] for each in (yield Request("GET", where, harmless=True)).json["fields"] if each["externalId"]}
    return f"{own.object} can be read; its external ids are {', '.join(sorted(ids))}, and yours is {own.external_id}"


DESTINATION = Destination(
    title="Salesforce",
    docs="https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-0-ingest.html",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.MIRROR, Mode.AUDIENCE}),
    fields=(),
    extra=Field("any"),
    identity=(),
    limits=Limits(rows=10_000, bytes=20_000_000, row_bytes=400_000),  # a batch is 10,000 inside; an upload has 100 MB
    resend=Resend.SAFE,  # upsert by an external id; update and delete by id
    encode=encode,
    push=push,
    poll=poll,
    login=login,
    headers=lambda each: {"Authorization": f"Bearer {each.session['token']}"} if "token" in each.session else {},
    classify=by_code(_CODES),
    check=check,
)
