"""Meta Conversions API: events of customers, for measurement and delivery of ads on Facebook and Instagram.

API      https://developers.facebook.com/documentation/ads-commerce/conversions-api/using-the-api, read 2026-11
Matches  people by any of the fields of `user_data`; who they are leaves this process as SHA-256
Answers  one invalid event refuses the request whole, and is not named: halving finds it
Again    an event of the same name and event_id counts once in 48 hours: map `event_id` where your pixel sends it too
Leaves   nobody: what was sent is not taken back, so rows are sent once
"""

from collections.abc import Mapping
from typing import Any, Literal

from loader.core.audience import Batch, Member, Mode, Outcome, Refused, Rejected, Result, accepted
from loader.core.destination import Account, Destination, Limits, Resend, Steps
from loader.core.fields import Field, Null, email, lowered, moment, number, text, unix_seconds
from loader.core.http import Request, Response, address, explained
from loader.core.settings import Record, Secret
from loader.destinations.meta_audiences import classify, digits, letters, postcode

_DAY_SECONDS = 86_400
# "Baseline requirements for matching": who has these only, or some of them, could be anybody.
_BROAD = [{"ct", "country", "st", "zp", "ge", "client_user_agent"}, {"db", "client_user_agent"}]
_BROAD += [{"fn", "ge"}, {"ln", "ge"}]
_LIMITED = {
    "data_processing_options": ["LDU"],
    "data_processing_options_country": 0,
    "data_processing_options_state": 0,
}
_EVENT = ("event_name", "event_id", "event_source_url")


class Settings(Record, frozen=True):
    """A dataset: a pixel, an app, or the events of stores."""

    token: Secret
    dataset_id: str  # the pixel's
    action_source: Literal["website", "email", "phone_call", "chat", "physical_store", "system_generated", "other"]
    event: str = "Purchase"  # where no column is mapped to event_name
    limited_data_use: bool = False  # Meta then tells from the person's place what it may do
    test_event_code: str | None = None  # shows the events under "test events"
    version: str = "v25.0"
    host: str = "https://graph.facebook.com"


def encode(settings: Settings, member: Member) -> Mapping[str, Any] | Refused:
    fields = member.fields
    event = {"event_name": settings.event, "event_id": member.version, "action_source": settings.action_source}
    event |= {name: fields[name] for name in (*_EVENT, "event_time") if name in fields}
    user = {name: fields[name] for name in (*_HASHED, *_LETTERS, *_PLAIN) if name in fields}
    custom = {name: value for name, value in fields.items() if name not in event and name not in user}
    if any(user.keys() <= each for each in _BROAD):
        return Refused("no_identifier", "that could be anybody: map em, ph, external_id, fbc or fbp")
    wanted = ["value", "currency"] if event["event_name"] == "Purchase" else []
    wanted += ["client_user_agent", "event_source_url"] if settings.action_source == "website" else []
    if missing := [name for name in wanted if fields.get(name) is None]:
        return Refused("missing_value", f"{missing[0]} is not set, which Meta requires of such an event")
    return {**event, "user_data": user, "custom_data": custom, **(_LIMITED if settings.limited_data_use else {})}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings = account.settings
    days = 62 if settings.action_source == "physical_store" else 7  # one that is older refuses them all
    old = [m.key for m in batch.members if m.fields["event_time"] < batch.at - days * _DAY_SECONDS]
    known: dict[str, Outcome] = {key: Rejected(key, "too_old", f"Meta takes the last {days} days") for key in old}
    test = {"test_event_code": settings.test_event_code} if settings.test_event_code else {}
    if rows := [member.raw for member in batch.members if member.key not in known]:
        yield Request("POST", _url(settings, "events"), json={"data": rows, **test})
    return [known.get(each.key, each) for each in accepted(batch)]


def _url(settings: Settings, *parts: str) -> str:
    return address(settings.host, settings.version, settings.dataset_id, *parts)


def headers(account: Account[Settings]) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.settings.token.reveal()}"}


def explain(response: Response) -> tuple[str, str]:
    code, message = explained(response)
    error = response.json["error"] if b'"error_subcode"' in response.body else {}
    return str(error.get("error_subcode", code)), str(error.get("error_user_msg", message))


def check(account: Account[Settings]) -> Steps[str]:
    found = yield Request("GET", _url(account.settings) + "?fields=id,name", harmless=True)
    return f"the dataset {found.json['name']!r} answers"


_HASHED = {"em": email, "ph": digits, "fn": letters, "ln": letters, "ct": letters, "st": letters, "external_id": text}
_HASHED |= {"zp": lambda value: (postcode(value) or "").replace("-", "") or None}
_HASHED |= {"db": lambda value: f"{moment(value):%Y%m%d}"}
_LETTERS = {"ge": 1, "country": 2}
_PLAIN = ("client_ip_address", "client_user_agent", "fbc", "fbp", "madid", "subscription_id")
DESTINATION = Destination(
    title="Meta Conversions API",
    docs="https://developers.facebook.com/documentation/ads-commerce/conversions-api",
    settings=Settings,
    modes=frozenset({Mode.INSERT}),
    fields=(
        *(Field(name, normal, hashed=True, null=Null.OMIT) for name, normal in _HASHED.items()),
        *(Field(name, lowered, hashed=True, max_length=most, null=Null.OMIT) for name, most in _LETTERS.items()),
        *(Field(name, text, null=Null.OMIT) for name in (*_PLAIN, *_EVENT)),
        Field("event_time", unix_seconds, required=True),
        Field("value", number, null=Null.OMIT),
        Field("currency", lambda value: str(value).strip().upper() or None, max_length=3, null=Null.OMIT),
    ),
    extra=Field("any", null=Null.OMIT),  # into `custom_data`
    identity=(),  # an event is not a person: two of one person may go together
    limits=Limits(rows=1_000, bytes=4_000_000, concurrency=2),
    resend=Resend.KEYED,
    encode=encode,
    push=push,
    headers=headers,
    classify=classify,
    explain=explain,
    check=check,
)
