"""Google Analytics 4: user properties, or events, over the Measurement Protocol; also into server-side Tag Manager.

API      https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference, read 2026-11
Matches  client_id (web streams) or app_instance_id (app streams), as the site or the app has it; user_id besides
Answers  2xx to whatever arrives, with a wrong secret too: what Google would drop in silence is refused here
Leaves   `property` becomes "false". User properties travel with an event, which Google counts
Personal data is forbidden in plain: `email` and `phone` leave as hashes, any other value with an address is refused
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from loader.core.audience import Batch, Member, Mode, Op, Refused, Rejected, Result, accepted
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field, Null, email, moment, phone, plain, text
from loader.core.http import Request, address
from loader.core.settings import Record, Secret

IDENTITY = ("client_id", "app_instance_id", "user_id")
_OWN = {*IDENTITY, "email", "phone", "timestamp"}
_KEPT = "firebase_.*|ga_.*|google_.*|user_id|first_(open|visit)_time|first_open_after_install|last_deep_link_referrer"
_NAME = re.compile(rf"(?!({_KEPT})$)[^\W\d_]\w*")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_MOST, _OLDEST_SECONDS = 25, 72 * 3600  # these and all lengths: the page "sending-events", "Limitations"


class Settings(Record, frozen=True):
    """A data stream, and a secret of its Measurement Protocol."""

    api_secret: Secret
    stream: str  # the measurement ID of a web stream, G-…, or the Firebase app ID of an app stream, 1:…
    sends: Literal["user_properties", "params"] = "user_properties"  # what the other fields are; params: of the event
    event: str = "audience_sync"
    property: str | None = None  # a user property that is "true" for those who are in the audience
    consent: Literal["GRANTED", "DENIED"] | None = None  # of everybody, to the use for ads; None: as Google has it
    longest_param: int = 100  # 500 with Analytics 360
    host: str = "https://www.google-analytics.com"  # EU: https://region1.google-analytics.com; or a tag server of yours


def mailbox(value: Any) -> str | None:
    name, at, domain = (email(value) or "").partition("@")
    return (name.replace(".", "") if domain in ("gmail.com", "googlemail.com") else name) + at + domain or None


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    leaves, fields, key = member.op is Op.REMOVE, member.fields, _names(settings)[1]
    if leaves and settings.property is None:
        return Refused("cannot_leave", "set `property`, a user property which then is false for those who left")
    if not fields.get(key):
        return Refused("no_identifier", f"{key} is not set, by which this stream knows people")
    ids = {name: fields[name] for name in (key, "user_id") if fields.get(name)}
    values = {name: value for name, value in fields.items() if name not in _OWN}
    properties, params = (values, {}) if settings.sends == "user_properties" else ({}, values)
    properties = {**properties, settings.property: "false" if leaves else "true"} if settings.property else properties
    refused = _refused(properties, 24, 36) or _refused(params, 40, settings.longest_param)
    if refused or any(_ADDRESS.search(str(value)) for value in (*ids.values(), *values.values())):
        return refused or Refused("personal_data", "a value holds an address, which Google forbids: map it to `email`")
    hashes = {"email": "sha256_email_address", "phone": "sha256_phone_number"}
    parts = {
        "timestamp_micros": fields.get("timestamp"),
        "user_properties": {name: {"value": value} for name, value in properties.items()},
        "user_data": {hashes[name]: [fields[name]] for name in hashes if fields.get(name)},
        "consent": dict.fromkeys(("ad_user_data", "ad_personalization"), settings.consent) if settings.consent else {},
        "events": [{"name": settings.event, "params": params}],
    }
    return {**ids, **{name: value for name, value in parts.items() if value}}


def _refused(values: Mapping[str, Any], longest_name: int, longest: int) -> Refused | None:
    bad = [name for name in values if not _NAME.fullmatch(name) or len(name) > longest_name] + list(values)[_MOST:]
    if bad:
        return Refused("invalid_field", f"{bad[0]!r} is no name that Analytics takes, or one more than {_MOST}")
    bad = [name for name, each in values.items() if isinstance(each, list | dict) or len(str(each)) > longest]
    return Refused("invalid_value", f"{bad[0]} is no text or number of at most {longest} letters") if bad else None


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    (member,) = batch.members
    if member.payload.get("timestamp_micros", batch.at * 10**6) < (batch.at - _OLDEST_SECONDS) * 10**6:
        return [Rejected(member.key, "too_old", "Analytics takes what happened in the last 72 hours")]
    yield Request("POST", _url(account.settings, "mp", "collect"), json=member.raw)
    return accepted(batch)


def check(account: Account[Settings]) -> Steps[str]:
    body = {_names(account.settings)[1]: "1.1", "events": [{"name": account.settings.event, "params": {}}]}
    found = yield Request("POST", _url(account.settings, "debug", "mp", "collect"), json=body, harmless=True)
    faults = [str(each["description"]) for each in found.json["validationMessages"]]
    return "; ".join(faults) or "Google would take the event; whether the secret is right it tells nobody"


def _url(settings: Settings, *parts: str) -> str:
    own = {_names(settings)[0]: settings.stream, "api_secret": settings.api_secret.reveal()}
    return address(settings.host, *parts, **own)


def _names(settings: Settings) -> tuple[str, str]:
    return ("measurement_id", "client_id") if settings.stream[:2] == "G-" else ("firebase_app_id", "app_instance_id")


DESTINATION = Destination(
    title="Google Analytics 4, Tag Manager",
    docs="https://developers.google.com/analytics/devguides/collection/protocol/ga4",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.AUDIENCE}),
    fields=(
        *(Field(name, text, max_length=256, null=Null.OMIT) for name in IDENTITY),
        Field("timestamp", lambda value: int(moment(value).timestamp() * 10**6), null=Null.OMIT),
        *(Field(name, each, hashed=True, null=Null.OMIT) for name, each in (("email", mailbox), ("phone", phone))),
    ),
    # Texts and numbers; nulls are left out, for how a property is emptied over this protocol is not documented.
    extra=Field("any", lambda value: str(value).lower() if isinstance(value, bool) else plain(value), null=Null.OMIT),
    identity=IDENTITY,
    limits=Limits(rows=1, row_bytes=128_000, rates=(Rate(50, 1),), concurrency=8),  # no rate is published: cautious
    resend=Resend.UNSAFE,  # Google knows no event again
    encode=encode,
    push=push,
    check=check,
)
