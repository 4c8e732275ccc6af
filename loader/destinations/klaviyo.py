"""Klaviyo: profiles, and a list for those who are in the audience. Consent is never changed.

API      https://developers.klaviyo.com/en/docs/use_klaviyos_bulk_profile_import_api and /en/reference, read 2026-11
Matches  external_id, email and phone_number; the first that a row has names it when it leaves
Answers  400 that points at the bad rows, and none is taken; or 202 with a job, whose import errors show the bad rows
Leaves   the list, by the ids that a search finds; a profile is never deleted
"""

import re
from typing import Any

import msgspec

from loader.core.audience import Accepted, Batch, Failed, Halve, Job, Member, Mode, Op, Refused, Rejected, Result
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, email, phone, text
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

IDENTITY = {"external_id": text, "email": email, "phone_number": phone}
OWN = {*IDENTITY, "first_name", "last_name", "organization", "locale", "title", "image"}  # others are custom properties
_PLACE = re.compile(r"/profiles/data/(\d+)(?:/attributes/(\w+))?")
_JOBS, _FOUND = "profile-bulk-import-jobs", 50  # whom one search names: an url should end at 8 KB


class Settings(Record, frozen=True):
    """An account of Klaviyo."""

    api_key: Secret  # private; lists:read, lists:write, profiles:read, profiles:write
    list_id: str | None = None  # who is in the audience is on it
    host: str = "https://a.klaviyo.com/api"


def encode(settings: Settings, member: Member) -> dict[str, Any] | Refused:
    if member.op is Op.REMOVE:
        return dict(member.fields) if settings.list_id else Refused("cannot_leave", "set `list_id`, which then is left")
    own = {name: value for name, value in member.fields.items() if name in OWN and value is not None}
    custom = {name: value for name, value in member.fields.items() if name not in OWN and value is not None}
    unset = sorted(member.fields.keys() - custom.keys() - OWN)  # an import empties nothing else: own fields stay
    meta = {"meta": {"patch_properties": {"unset": unset}}} if unset else {}
    return {"type": "profile", "attributes": {**own, "properties": custom}, **meta}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    host, listed = account.settings.host, account.settings.list_id
    if batch.removes:
        kind = next(iter(batch.members[0].fields))
        for first in range(0, len(batch.members), _FOUND):
            some = [str(each.fields[kind]) for each in batch.members[first : first + _FOUND]]
            wanted = {"filter": f"any({kind},{msgspec.json.encode(some).decode()})", "page[size]": str(_FOUND)}
            found = (yield Request("GET", address(host, "profiles", **wanted), harmless=True)).json["data"]
            gone = {"data": [{"type": "profile", "id": each["id"]} for each in found]}
            if found:
                yield Request("DELETE", address(host, "lists", str(listed), "relationships", "profiles"), json=gone)
        return [Accepted(member.key) for member in batch.members]
    profiles = {"profiles": {"data": [member.raw for member in batch.members]}}
    lists = {"lists": {"data": [{"type": "list", "id": listed}] if listed else []}}
    data = {"type": "profile-bulk-import-job", "attributes": profiles, "relationships": lists}
    answer = yield Request("POST", address(host, _JOBS), json={"data": data})
    if answer.status != 400:
        return Job(str(answer.json["data"]["id"]), check_after_seconds=2)
    bad = {batch.members[int(at[1])].key: at[2] or "profile" for at in _PLACE.finditer(answer.body.decode())}
    known = (Rejected(key, "invalid", f"Klaviyo does not accept {name}") for key, name in bad.items())
    return Halve("invalid", "some rows are not valid", tuple(known))


def poll(account: Account[Settings], job: Job, batch: Batch) -> Steps[Result]:
    url, refused = address(account.settings.host, _JOBS, job.id), dict[str, tuple[str, str]]()
    state = (yield Request("GET", url, harmless=True)).json["data"]["attributes"]
    if state["status"] in ("queued", "processing"):
        return job
    failed, query = int(state.get("failed_count") or 0), "page%5Bsize%5D=100"
    while failed and query:
        page = (yield Request("GET", f"{url}/import-errors?{query}", harmless=True)).json
        for error in (each["attributes"] for each in page["data"]):
            sent = error.get("original_payload") or {}
            sent, why = sent.get("attributes", sent), (str(error["code"]), str(error["title"]))
            refused |= {str(sent[name]).casefold(): why for name in IDENTITY if sent.get(name)}
        query = str((page.get("links") or {}).get("next") or "").partition("?")[2]
    named = {str(value).casefold(): member.key for member in batch.members for value in member.fields.values()}
    bad = {named[value]: Rejected(named[value], *refused[value]) for value in named.keys() & refused.keys()}
    lost = "" if state["status"] == "complete" and len(bad) >= failed else "the job does not say what became of it"
    return [bad.get(m.key) or (Failed(m.key, "unclear", lost) if lost else Accepted(m.key)) for m in batch.members]


def headers(account: Account[Settings]) -> dict[str, str]:
    key = f"Klaviyo-API-Key {account.settings.api_key.reveal()}"
    return {"Authorization": key, "revision": "2026-04-15", "Content-Type": "application/vnd.api+json"}


def classify(response: Response) -> Verdict:
    told = Verdict.ANSWER if b"/profiles/data/" in response.body else Verdict.MISCONFIGURED  # rows, else the list
    return told if response.status == 400 and b'"/data' in response.body else by_status(response)


def check(account: Account[Settings]) -> Steps[str]:
    yield Request("GET", address(account.settings.host, "lists", account.settings.list_id or ""), harmless=True)
    return f"the key reads the list {account.settings.list_id}" if account.settings.list_id else "the key reads lists"


DESTINATION = Destination(
    title="Klaviyo",
    docs="https://developers.klaviyo.com/en/reference/bulk_import_profiles",
    settings=Settings,
    modes=frozenset({Mode.UPSERT, Mode.AUDIENCE}),
    fields=tuple(Field(name, normal, max_length=255, null=Null.OMIT) for name, normal in IDENTITY.items()),
    extra=Field("any"),
    identity=tuple(IDENTITY),
    named_by=lambda _: tuple(IDENTITY),
    # 10,000 profiles, 5 MB, 100 KB each; 10 requests a second and 150 a minute for imports, jobs and lists.
    limits=Limits(rows=10_000, bytes=4_900_000, row_bytes=100_000, rates=(Rate(10, 1), Rate(150, 60)), concurrency=2),
    resend=Resend.SAFE,
    encode=encode,
    envelope=lambda _, member: next(iter(member.fields)) if member.op is Op.REMOVE else "",  # a search is for one kind
    push=push,
    poll=poll,
    headers=headers,
    classify=classify,
    check=check,
)
