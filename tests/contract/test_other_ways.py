"""What destinations do under settings that their file of cases leaves out: events instead of people, and refusals."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from contract.case import NOW, Conversation, conversation, rejected
from loader.core.audience import Accepted, Member, Op, Refused
from loader.errors import DestinationError
from loader.rehearsal.fake import Reply
from loader.rehearsal.serving import Fault

LONG_AGO = (datetime.now(UTC) - timedelta(days=30)).isoformat(timespec="seconds")
CONSENT = {"ad_user_data": "GRANTED", "ad_personalization": "GRANTED"}


class Way(NamedTuple):
    """One row under some settings, and what the tool holds of it then; or the code of its refusal."""

    why: str
    slug: str
    settings: dict[str, Any]
    row: dict[str, Any]  # the tool's field → value
    held: dict[str, Any] | str
    leaves: bool = False


# fmt: off
WAYS = [
    Way("an event with its parameters", "ga4", {"sends": "params", "event": "purchase"},
        {"client_id": "1.2", "transaction_id": "o1", "value": 9.5},
        {"1.2": {"transaction_id": "o1", "value": 9.5, "vip": "true", "consent": CONSENT}}),
    Way("an app knows people by another id", "ga4", {"stream": "1:2:android:3"}, {"client_id": "1.2"}, "no_identifier"),
    Way("a name that Google keeps for itself", "ga4", {}, {"client_id": "1.2", "ga_tier": "x"}, "invalid_field"),
    Way("and another", "ga4", {}, {"client_id": "1.2", "first_open_after_install": "x"}, "invalid_field"),
    Way("but not what begins so", "ga4", {}, {"client_id": "1.2", "first_open_time_zone": "x"},
        {"1.2": {"first_open_time_zone": "x", "vip": "true", "consent": CONSENT}}),
    Way("a name longer than Google takes", "ga4", {}, {"client_id": "1.2", "t" * 25: "x"}, "invalid_field"),
    Way("which a parameter may be", "ga4", {"sends": "params"}, {"client_id": "1.2", "t" * 25: "x"},
        {"1.2": {"t" * 25: "x", "vip": "true", "consent": CONSENT}}),
    Way("an event of a user", "amplitude", {"sends": "event", "event": "Renewed"},
        {"user_id": "user-1", "time": NOW, "price": 5, "coupon": None},
        {"user-1": {"Renewed": {"price": 5, "coupon": None}, "vip": True, "$cohort": True}}),
    Way("who leaves has no event", "amplitude", {"sends": "event"}, {"user_id": "user-1"},
        {"user-1": {"vip": False, "$cohort": False}}, leaves=True),
    Way("a shorter id, where that is allowed", "amplitude", {"min_id_length": 1}, {"user_id": "u1"},
        {"u1": {"vip": True, "$cohort": True}}),
    Way("an event without a time", "mixpanel", {"sends": "events"}, {"distinct_id": "u1", "plan": "x"}, "no_time"),
    Way("no event is taken back", "mixpanel", {"sends": "events"}, {"distinct_id": "u1"}, "cannot_leave", leaves=True),
    Way("an event of a user", "heap", {"sends": "events", "event": "Renewed"},
        {"identity": "u1", "timestamp": NOW, "price": 5}, {"u1": {"Renewed": {"price": 5}}}),
    Way("an event is not taken back", "heap", {"sends": "events"}, {"identity": "u1"}, "cannot_leave", leaves=True),
    Way("a name that Heap has itself", "heap", {}, {"identity": "u1", "ID": "x"}, "invalid_field"),
    Way("a website's event without the browser", "meta_conversions", {"action_source": "website", "event": "Lead"},
        {"event_time": NOW, "em": "ana@example.com", "event_source_url": "https://a.example"}, "missing_value"),
    Way("a name that WebEngage has itself", "webengage", {}, {"userId": "u1", "we_email": "x"}, "invalid_field"),
    Way("the second id is ignored", "webengage", {}, {"userId": "u1", "anonymousId": "a1"}, {"u1": {"vip": True}}),
]
# fmt: on


def told(tool: Conversation, row: Mapping[str, Any], *, leaves: bool = False) -> Member | Refused:
    """Return a row whose columns are the tool's fields, as a member ready to be sent."""
    written = {**tool.case.written, "fields": {name: name for name in row}, "row": {"id": "k1", **row}}
    case = replace(tool.case, written=written)
    return replace(tool, case=case).member(1, Op.REMOVE if leaves else Op.ADD)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.slug}: {way.why}")
def test_what_the_tool_holds_or_why_it_is_not_sent(way: Way, tmp_path: Path) -> None:
    with conversation(way.slug, tmp_path, **way.settings) as tool:
        member = told(tool, way.row, leaves=way.leaves)
        if isinstance(way.held, str):
            assert isinstance(member, Refused)
            assert member.code == way.held
            return
        assert isinstance(member, Member), member
        assert [type(each) for each in tool.send([member])] == [Accepted]
        assert tool.server.fake.held() == way.held


def test_mixpanel_knows_an_event_again_and_names_those_that_it_does_not_take(tmp_path: Path) -> None:
    with conversation("mixpanel", tmp_path, sends="events", event="Renewed") as tool:
        rows = [{"distinct_id": "u1", "time": 1_700_000_000, "plan": "x"}, {"distinct_id": "u2", "time": 0}]
        members = [told(tool, row) for row in rows]
        known = [replace(each, key=f"k{n}") for n, each in enumerate(members) if isinstance(each, Member)]
        for _ in range(2):
            assert rejected(tool.send(known)) == {"k1": "invalid_record"}
        events = tool.server.fake.events  # type: ignore[attr-defined]  # of this fake
        assert list(events) == [("Renewed", 1_700_000_000, "u1", known[0].version)]


def test_a_store_may_tell_meta_of_the_last_62_days_and_others_of_seven(tmp_path: Path) -> None:
    row = {"event_time": LONG_AGO, "em": "ana@example.com", "event_id": "o1"}
    for source, codes in (("physical_store", {}), ("system_generated", {"k1": "too_old"})):
        with conversation("meta_conversions", tmp_path, action_source=source, event="Lead") as tool:
            member = told(tool, row)
            assert isinstance(member, Member)
            assert rejected(tool.send([member])) == codes
            assert list(tool.server.fake.held()) == ([] if codes else ["o1"])


def test_mixpanel_that_refuses_without_names_is_asked_until_one_stands_alone(tmp_path: Path) -> None:
    with conversation("mixpanel", tmp_path, sends="events") as tool:
        tool.exchange.login()
        nameless = Reply(400, {"code": 400, "error": "bad", "status": "Bad Request"})
        tool.server.faults += [Fault(tool.server.arrived + 1, reply=nameless)]
        made = [told(tool, {"distinct_id": who, "time": 1_700_000_000}) for who in ("u1", "u2")]
        members = [replace(each, key=f"k{n}") for n, each in enumerate(made) if isinstance(each, Member)]
        assert [type(each) for each in tool.send(members)] == [Accepted, Accepted]
        assert len(tool.server.fake.events) == 2  # type: ignore[attr-defined]  # of this fake


def test_amplitude_quotes_a_wrong_key_and_nobody_reads_it(tmp_path: Path) -> None:
    with conversation("amplitude", tmp_path, api_key="d41d8cd98f00b204") as tool:
        with pytest.raises(DestinationError, match="Invalid API key") as error:
            tool.send(tool.members([1]))
        assert "d41d8cd98f00b204" not in str(error.value)
