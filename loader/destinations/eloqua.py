"""Oracle Eloqua: contacts, and a shared list for those who are in the audience.

API      https://docs.oracle.com/en/cloud/saas/marketing/eloqua-develop/Developers/BulkAPI/ (Bulk 2.0), read 2026-11
Matches  C_EmailAddress, in any letter case
Answers  a sync, which ends as success, as warning (its rejects name who was refused), or as error (its logs say why)
Leaves   the shared list, by a sync action; a contact is never deleted
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import date
from typing import Any

from loader.core.audience import Batch, Failed, Job, Member, Mode, Op, Refused, Result, refused_by_value
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, email, moment, plain
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

EMAIL = "C_EmailAddress"


class Settings(Record, frozen=True):
    """An instance of Eloqua, and a user of it."""

    site: str  # the company name, as in the log-in
    username: str
    password: Secret
    list_id: int | None = None  # a shared list of contacts; who is in the audience is on it
    host: str = "https://login.eloqua.com"  # it tells the data centre of the instance


def time(value: Any) -> Any:
    """Return times as 2026-01-31 05:00:00, in UTC: Eloqua has no zones, so map a text where another is meant."""
    return moment(value).strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, date) else plain(value)


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    stays = member.op is Op.REMOVE and settings.list_id is None
    return Refused("cannot_leave", "set `list_id`, which then is left") if stays else member.fields


def login(settings: Settings, _: int) -> Steps[Mapping[str, str]]:
    """Return the address of the instance, which may move from one data centre to another."""
    found = yield Request("GET", address(settings.host, "id"), harmless=True)
    return {"bulk": address(found.json["urls"]["base"], "api", "bulk", "2.0")}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    bulk, listed = account.session["bulk"], account.settings.list_id
    verb, kind = ("remove", "syncActions") if batch.removes else ("add", "imports")
    actions = [{"action": verb, "destination": f"{{{{ContactList[{listed}]}}}}"}] if listed is not None else []
    fields = {name: f"{{{{Contact.Field({name})}}}}" for name in batch.members[0].payload}
    named = {"name": f"{batch.sync} {batch.key}"[:100], "identifierFieldName": EMAIL, "isSyncTriggeredOnImport": False}
    definition = {**named, "fields": fields, "syncActions": actions}
    uri = (yield Request("POST", address(bulk, "contacts", kind), json=definition)).json["uri"]
    yield Request("POST", f"{bulk}{uri}/data", json=[member.raw for member in batch.members])
    started = yield Request("POST", address(bulk, "syncs"), json={"syncedInstanceUri": uri})
    return Job(str(started.json["uri"]))


def poll(account: Account[Settings], job: Job, batch: Batch) -> Steps[Result]:
    url = account.session["bulk"] + job.id
    status = (yield Request("GET", url, harmless=True)).json["status"]
    if status in ("pending", "active"):
        return job
    if status == "error":
        logs = (yield Request("GET", f"{url}/logs", harmless=True)).json["items"]
        why = [each for each in logs if each["severity"] == "error"] or [{"message": "the sync ended in an error"}]
        code, message = str(why[0].get("statusCode", "error")), str(why[0]["message"])
        return [Failed(member.key, code, message) for member in batch.members]
    refused, offset, more = dict[str, tuple[str, str]](), 0, status == "warning" and not batch.removes
    while more:  # whom a removal does not find is not there
        page = (yield Request("GET", f"{url}/rejects?limit=1000&offset={offset}", harmless=True)).json
        for each in page["items"]:
            told = f"{each['message']} {', '.join(each.get('invalidFields') or ())}".strip()
            refused[str(each["fieldValues"].get(EMAIL))] = (str(each["statusCode"]), told)
        offset, more = offset + 1_000, bool(page.get("hasMore"))
    return refused_by_value(batch, (EMAIL,), refused)


def headers(account: Account[Settings]) -> dict[str, str]:
    settings = account.settings
    pair = f"{settings.site}\\{settings.username}:{settings.password.reveal()}".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def classify(response: Response) -> Verdict:
    if b"Not authenticated" in response.body[:100]:  # the log-in says so with 200
        return Verdict.UNAUTHORISED
    # 400: the definition is wrong, and every batch has the same. 404: more than 32 MB. 413: the staging area is full.
    special = {400: Verdict.MISCONFIGURED, 404: Verdict.REFUSED, 413: Verdict.UNAVAILABLE}
    return special.get(response.status) or by_status(response)


def check(account: Account[Settings]) -> Steps[str]:
    what = ("fields",) if account.settings.list_id is None else ("lists", account.settings.list_id)
    yield Request("GET", address(account.session["bulk"], "contacts", *what), harmless=True)
    return f"the instance answers at {account.session['bulk']}"


DESTINATION = Destination(
    title="Oracle Eloqua",
    docs="https://docs.oracle.com/en/cloud/saas/marketing/eloqua-develop/Developers/BulkAPI/Tutorials/Import.htm",
    settings=Settings,
    modes=frozenset({Mode.UPSERT, Mode.AUDIENCE}),
    fields=(Field(EMAIL, email, required=True),),
    extra=Field("any", time, null=Null.EMPTY),  # by the internal names of fields, like C_FirstName
    identity=(EMAIL,),
    # 32 MB in a request; 2,000 imports an hour, of which each is three requests and more, so this pace is cautious.
    limits=Limits(rows=20_000, bytes=30_000_000, row_bytes=500_000, rates=(Rate(2_000, 3_600),)),
    resend=Resend.SAFE,
    encode=encode,
    login=login,
    push=push,
    poll=poll,
    headers=headers,
    classify=classify,
    check=check,
)
