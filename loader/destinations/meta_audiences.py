"""Meta custom audiences: people as hashes, on Facebook and Instagram.

API      https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences, read 2025-11
Matches  any identifier; all but the device's and your own id leave this process as SHA-256
Answers  how many were invalid, and samples of them: the rest of the bad ones are found by halving
Leaves   by the same hashes as were sent; adding twice and removing who is not there are fine
"""

import re
from typing import Any

from loader.core.audience import Batch, Halve, Mode, Outcome, Rejected, Result, accepted
from loader.core.destination import Account, Destination, Limits, Resend, Steps
from loader.core.fields import Field, Null, email, lowered, phone, text
from loader.core.http import Request, Response, Verdict, address, by_status
from loader.core.settings import Record, Secret

_CODES = {
    **dict.fromkeys((4, 17, 80003), Verdict.THROTTLED),  # with the status 400
    **dict.fromkeys((1, 2, 341, 368, 5000, 21009), Verdict.UNAVAILABLE),
    **dict.fromkeys((102, 190), Verdict.UNAUTHORISED),
    **dict.fromkeys((100, 105, 2650), Verdict.REFUSED),
}
IDENTITY = ("EMAIL", "PHONE", "MADID", "EXTERN_ID")


class Settings(Record, frozen=True):
    """A custom audience. Its terms must have been accepted in the ad account."""

    token: Secret  # of a system user with ads_management
    audience_id: str
    version: str = "v24.0"
    host: str = "https://graph.facebook.com"


def digits(value: Any) -> str | None:
    return (phone(value) or "").removeprefix("+") or None


def letters(value: Any) -> str | None:
    return re.sub(r"[\W_]", "", str(value).lower()) or None


def postcode(value: Any) -> str | None:
    found = re.sub(r"\s", "", str(value)).lower()
    return (found.partition("-")[0] if re.fullmatch(r"\d{5}-\d{4}", found) else found) or None


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    schema = sorted({name for member in batch.members for name in member.fields})
    data = [[member.fields.get(name, "") for name in schema] for member in batch.members]
    body = {"payload": {"schema": schema, "data": data}}
    response = yield Request("DELETE" if batch.removes else "POST", _url(account.settings, "users"), json=body)
    invalid = int(response.json.get("num_invalid_entries", 0))
    if not invalid or batch.removes:  # whom Meta could not read it cannot have
        return accepted(batch)
    samples = set(re.findall(r"[\w-]+", str(response.json.get("invalid_entry_samples"))))
    bad = [
        Rejected(member.key, "invalid_entry", "Meta could not read it")
        for member in batch.members
        if len(batch.members) == 1 or not samples.isdisjoint(str(member.fields.get(name)) for name in IDENTITY)
    ]
    if len(bad) >= invalid:
        named: dict[str, Outcome] = {each.key: each for each in bad}
        return [named.get(each.key, each) for each in accepted(batch)]
    return Halve("invalid_entry", f"Meta could not read {invalid} rows", tuple(bad))


def _url(settings: Settings, *parts: str) -> str:
    return address(settings.host, settings.version, settings.audience_id, *parts)


def headers(account: Account[Settings]) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.settings.token.reveal()}"}


def classify(response: Response) -> Verdict:
    if response.status < 400 or b'"error"' not in response.body:
        return by_status(response)
    error = response.json["error"]
    if error.get("error_subcode") == 33:  # no such audience, or none of ours
        return Verdict.MISCONFIGURED
    return _CODES.get(error["code"], Verdict.MISCONFIGURED)


def check(account: Account[Settings]) -> Steps[str]:
    found = yield Request("GET", _url(account.settings) + "?fields=id,name", harmless=True)
    return f"the audience {found.json['name']!r} answers"


_HASHED = {"EMAIL": email, "PHONE": digits, "FN": letters, "LN": letters, "CT": letters, "ST": letters}
_HASHED |= {
    "ZIP": postcode,
    "COUNTRY": lowered,
    "GEN": lowered,
    "DOBY": text,
    "DOBM": text,
    "DOBD": text,
    "FI": lowered,
}
DESTINATION = Destination(
    title="Meta custom audiences",
    docs="https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.AUDIENCE}),
    fields=(
        *(Field(name, normal, hashed=True, null=Null.OMIT) for name, normal in _HASHED.items()),
        Field("MADID", lowered, null=Null.OMIT),
        Field("EXTERN_ID", text, null=Null.OMIT),
    ),
    identity=IDENTITY,
    limits=Limits(rows=10_000, bytes=4_000_000),  # 10,000 people a request; one at a time, for they share a quota
    resend=Resend.SAFE,
    push=push,
    headers=headers,
    classify=classify,
    check=check,
)
