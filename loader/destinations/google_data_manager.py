"""Google Data Manager: Customer Match lists of Google Ads, Display & Video 360 and others.

API      https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers/ingest, read 2026-11
Matches  hashes of addresses and numbers. Of Gmail's addresses the dots and what follows a + do not count
Answers  a request id, asked for until it is worked through. One invalid member refuses a request whole, and is named
         by its place; of a request that is taken in part nobody is told who was left out, so all count as failed
Leaves   the list, under the hashes that were sent. Google lets members go after 540 days: set `refresh_days`
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from loader.core import fields
from loader.core.audience import Batch, Halve, Job, Member, Mode, Rejected, Result, accepted
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null
from loader.core.http import Request, Response, Verdict, by_code
from loader.core.oauth import bearer, google_login
from loader.core.settings import Record, Secret

_PLACE = re.compile(rb"audience_?members\[(\d+)\]", re.IGNORECASE)


class Settings(Record, frozen=True):
    """A list, and a client that has a person's leave for the scope https://www.googleapis.com/auth/datamanager."""

    client_id: str
    client_secret: Secret
    refresh_token: Secret
    account_id: str  # that the list belongs to, digits only
    list_id: str
    terms: Literal["ACCEPTED"]  # you have accepted Google's terms of Customer Match
    account_type: str = "GOOGLE_ADS"
    login_account_id: str | None = None  # of a manager, where the access is through one
    consent: Literal["CONSENT_GRANTED", "CONSENT_DENIED"] | None = None  # of all rows; Europe's are of no use without
    host: str = "https://datamanager.googleapis.com"
    auth_host: str = "https://oauth2.googleapis.com"


def address_of(value: Any) -> str | None:
    """Return an address as Google hashes it (.../devguides/concepts/formatting, read 2026-11)."""
    found = fields.email(re.sub(r"\s", "", str(value)))
    name, _, host = (found or "").partition("@")
    return f"{name.partition('+')[0].replace('.', '')}@{host}" if host in ("gmail.com", "googlemail.com") else found


def encode(_: Settings, member: Member) -> Mapping[str, Any]:
    names = {"email": "emailAddress", "phone": "phoneNumber"}
    known = [{name: member.fields[field]} for field, name in names.items() if member.fields.get(field)]
    return {"userData": {"userIdentifiers": known}}


def _sent(own: Settings, members: Sequence[Any], *, removes: bool = False, validate: bool = False) -> Request:
    account: dict[str, Any] = {"operatingAccount": {"accountType": own.account_type, "accountId": own.account_id}}
    if own.login_account_id:
        account["loginAccount"] = {"accountType": own.account_type, "accountId": own.login_account_id}
    account["productDestinationId"] = own.list_id
    body = {"destinations": [account], "audienceMembers": members, "encoding": "HEX", "validateOnly": validate}
    if removes:
        return Request("POST", f"{own.host}/v1/audienceMembers:remove", json=body)
    consent = {"consent": {"adUserData": own.consent, "adPersonalization": own.consent}} if own.consent else {}
    terms = {"termsOfService": {"customerMatchTermsOfServiceStatus": own.terms}}
    return Request("POST", f"{own.host}/v1/audienceMembers:ingest", json={**body, **terms, **consent})


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    found = yield _sent(account.settings, [member.raw for member in batch.members], removes=batch.removes)
    if found.status == 400:
        bad = [batch.members[place].key for place in sorted(_named(found))]
        return Halve("INVALID_ARGUMENT", "", tuple(Rejected(key, "INVALID_ARGUMENT", "it is invalid") for key in bad))
    return Job(found.json["requestId"], check_after_seconds=60)  # Google works on it for half an hour and more


def poll(account: Account[Settings], job: Job, batch: Batch) -> Steps[Result]:
    where = f"{account.settings.host}/v1/requestStatus:retrieve?requestId={job.id}"
    found = (yield Request("GET", where, harmless=True)).json["requestStatusPerDestination"][0]
    if found["requestStatus"] not in ("FAILED", "PARTIAL_SUCCESS"):
        return accepted(batch) if found["requestStatus"] == "SUCCESS" else job
    counts = found.get("errorInfo", {}).get("errorCounts") or [{"reason": found["requestStatus"], "recordCount": "?"}]
    told = ", ".join(f"{each['recordCount']} × {each['reason']}" for each in counts)
    return Halve(counts[0]["reason"], f"not told of whom: {told}")


def _named(response: Response) -> set[int]:
    """Return the places of members that an error names: `audience_members.audience_members[3].user_data`."""
    return {int(place) for place in _PLACE.findall(response.body)} if response.status == 400 else set()


def classify(response: Response) -> Verdict:
    aborted = by_code({"409": Verdict.UNAVAILABLE})  # two requests met
    return Verdict.ANSWER if _named(response) else aborted(response)


def check(account: Account[Settings]) -> Steps[str]:
    yield _sent(account.settings, [{"userData": {"userIdentifiers": [{"emailAddress": "0" * 64}]}}], validate=True)
    return f"the list {account.settings.list_id} would take a member: Google has checked, and stored nothing"


DESTINATION = Destination(
    title="Google Customer Match",
    docs="https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers/ingest",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.AUDIENCE}),
    fields=(
        Field("email", address_of, hashed=True, max_length=254, null=Null.OMIT),
        Field("phone", fields.phone, hashed=True, null=Null.OMIT),
    ),
    identity=("email", "phone"),
    # Google takes 10,000; fewer, because all of a request that is taken in part are sent again. 300 in a minute.
    limits=Limits(rows=1_000, row_bytes=10_000, rates=(Rate(300, 60),), concurrency=4),
    resend=Resend.SAFE,  # a list is a set
    encode=encode,
    push=push,
    poll=poll,
    login=google_login,
    headers=lambda account: bearer(account.session),
    classify=classify,
    check=check,
)
