"""SendGrid marketing contacts: contacts, and a list for those who are in the audience.

API      https://www.twilio.com/docs/sendgrid/api-reference/contacts/add-or-update-a-contact, read 2025-11
Matches  the address, in small letters
Answers  202 with a job; the job says how many it could not take, and not whom. One bad address refuses a request whole
Leaves   the list, by the contact's id, which a search finds
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from loader.core.audience import Accepted, Batch, Failed, Job, Member, Mode, Op, Rejected, Result, accepted
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, email, phone
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

_NAMES = "email phone_number_id external_id anonymous_id first_name last_name phone_number city country postal_code"
_RESERVED = set(_NAMES.split())


class Settings(Record, frozen=True):
    """A SendGrid account."""

    api_key: Secret
    list_id: str
    host: str = "https://api.sendgrid.com"  # EU: https://api.eu.sendgrid.com


def encode(_: Settings, member: Member) -> Mapping[str, Any]:
    if member.op is Op.REMOVE:
        return {"email": member.fields["email"]}
    fields = {name: "" if value is None else value for name, value in member.fields.items()}
    custom = {name: value for name, value in fields.items() if name not in _RESERVED}
    return {**{name: value for name, value in fields.items() if name in _RESERVED}, "custom_fields": custom}


def login(settings: Settings, _: int) -> Steps[Mapping[str, str]]:
    """Return the ids of the custom fields, which requests must name them by: `w1_T` for `plan`."""
    found = yield Request("GET", _url(settings, "field_definitions"), headers=_key(settings), harmless=True)
    return {each["name"]: each["id"] for each in found.json.get("custom_fields", [])}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings = account.settings
    if batch.removes:  # whom the search does not know is gone already
        if there := ",".join((yield from _ids(settings, batch)).values()):
            yield Request("DELETE", f"{_url(settings, 'lists', settings.list_id, 'contacts')}?contact_ids={there}")
        return accepted(batch)
    ids = account.session
    if unknown := {name for member in batch.members for name in member.payload["custom_fields"]} - ids.keys():
        return [Failed(each.key, "unknown_field", f"no custom field {min(unknown)}") for each in batch.members]
    custom = [{ids[name]: each for name, each in m.payload["custom_fields"].items()} for m in batch.members]
    contacts = [{**m.payload, "custom_fields": each} for m, each in zip(batch.members, custom, strict=True)]
    body = {"list_ids": [settings.list_id], "contacts": contacts}
    return Job(str((yield Request("PUT", _url(settings, "contacts"), json=body)).json["job_id"]))


def poll(account: Account[Settings], job: Job, batch: Batch) -> Steps[Result]:
    found = yield Request("GET", _url(account.settings, "contacts", "imports", job.id), harmless=True)
    if found.json["status"] == "completed":
        return accepted(batch)
    if found.json["status"] not in ("errored", "failed"):
        return job
    known = yield from _ids(account.settings, batch)
    missing = sum(member.fields["email"] not in known for member in batch.members)
    # A new contact cannot be found at once: only where the numbers agree are the missing ones the bad ones.
    sure = missing == int(found.json["results"].get("errored_count", 0))
    refused = partial(Rejected if sure else Failed, code="job_errored", message="the job did not take it")
    return [Accepted(each.key) if each.fields["email"] in known else refused(each.key) for each in batch.members]


def _ids(settings: Settings, batch: Batch) -> Steps[dict[str, str]]:
    addresses = [str(member.fields["email"]) for member in batch.members]
    ids: dict[str, str] = {}
    for first in range(0, len(addresses), 50):
        wanted = {"emails": addresses[first : first + 50]}
        found = yield Request("POST", _url(settings, "contacts", "search", "emails"), json=wanted, harmless=True)
        known = found.json.get("result", {}).items()
        ids |= {name: str(each["contact"]["id"]) for name, each in known if "contact" in each}
    return ids


def classify(response: Response) -> Verdict:
    return Verdict.ANSWER if response.status == 404 else by_status(response)  # a search that knows nobody


def _url(settings: Settings, *parts: str) -> str:
    return address(settings.host, "v3", "marketing", *parts)


def _key(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings.api_key.reveal()}"}


def check(account: Account[Settings]) -> Steps[str]:
    found = yield Request("GET", _url(account.settings, "lists", account.settings.list_id), harmless=True)
    return f"the list {found.json['name']!r} answers"


DESTINATION = Destination(
    title="SendGrid",
    docs="https://www.twilio.com/docs/sendgrid/api-reference/contacts",
    settings=Settings,
    modes=frozenset({Mode.UPSERT, Mode.AUDIENCE}),
    fields=(Field("email", email, max_length=254, required=True), Field("phone_number_id", phone)),
    extra=Field("any"),
    identity=("email",),
    # 30,000 contacts or 6 MB a request, but removals by 100 ids. 3 requests in 2 s is cautious, for want of a source.
    limits=Limits(rows=100, bytes=5_000_000, rates=(Rate(3, 2),)),
    resend=Resend.SAFE,
    encode=encode,
    push=push,
    poll=poll,
    login=login,
    headers=lambda account: _key(account.settings),
    classify=classify,
    check=check,
)
