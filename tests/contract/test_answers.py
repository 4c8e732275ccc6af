"""What tools answer that no row of their cases brings about: wrong targets, counts without names, pages, errors."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from contract.case import conversation, rejected
from loader.core.audience import Accepted, Failed, Op
from loader.errors import DestinationError
from loader.rehearsal.fake import Reply
from loader.rehearsal.serving import Fault


class Wrong(NamedTuple):
    """A target that the account does not have."""

    slug: str
    settings: dict[str, Any]


WRONG = [
    Wrong("customer_io", {"segment_id": 8}),
    Wrong("eloqua", {"list_id": 8}),
    Wrong("iterable", {"list_id": 8}),
    Wrong("klaviyo", {"list_id": "list2"}),
    Wrong("slack", {"webhook": "T00000000/B00000000/another"}),
    Wrong("twilio", {"sender": "+15005550007"}),
]


@pytest.mark.parametrize("each", WRONG, ids=lambda each: each.slug)
def test_a_wrong_target_stops_the_run_and_rejects_nobody(each: Wrong, tmp_path: Path) -> None:
    with conversation(each.slug, tmp_path, **each.settings) as tool, pytest.raises(DestinationError):
        tool.send(tool.members([1, 2]))


def test_a_tag_that_is_none_fails_the_row_and_does_not_reject_it(tmp_path: Path) -> None:
    with conversation("intercom", tmp_path, tag_id="8") as tool:
        [outcome] = tool.send(tool.members([1]))
    assert (type(outcome), getattr(outcome, "code", "")) == (Failed, "no_tag")


def test_a_count_of_failures_without_names_is_halved_until_they_stand_alone(tmp_path: Path) -> None:
    with conversation("iterable", tmp_path) as tool:
        counted = {"successCount": 2, "failCount": 1, "failedUpdates": {"invalidEmails": []}}
        tool.server.faults = [Fault(at, reply=Reply(200, counted)) for at in (1, 2)]  # three rows, then the first alone
        members = tool.members([1, 2, 3])
        assert rejected(tool.send(members)) == {"k1": "failed"}
        assert tool.server.fake.held() == tool.case.held([2, 3])


def test_users_of_an_email_project_are_named_by_address(tmp_path: Path) -> None:
    with conversation("iterable", tmp_path, project="email") as tool:
        tool.send(tool.members([1]))
        there = {"userId": "U1", "plan": "free", "visits": 3, "listed": True}
        assert tool.server.fake.held() == {"person1@example.com": there}
        tool.send(tool.members([1], Op.REMOVE))
        assert tool.server.fake.held() == {"person1@example.com": {**there, "listed": False}}


def test_the_errors_of_a_job_are_read_to_the_last_page(tmp_path: Path) -> None:
    with conversation("klaviyo", tmp_path) as tool:
        bad = [tool.members([number], email=f"bad{number}@blocked.example")[0] for number in range(150)]
        outcomes = tool.send([*bad, *tool.members([200])])
    assert len(rejected(outcomes)) == 150
    assert [each.key for each in outcomes if isinstance(each, Accepted)] == ["k200"]


def test_a_job_that_counts_more_failures_than_it_shows_confirms_nobody(tmp_path: Path) -> None:
    with conversation("klaviyo", tmp_path) as tool:
        state = {"status": "complete", "failed_count": 1}
        tool.server.faults = [Fault(2, reply=Reply(200, {"data": {"id": "job1", "attributes": state}}))]
        outcomes = tool.send(tool.members([1, 2]))
    assert [(type(each), getattr(each, "code", "")) for each in outcomes] == [(Failed, "unclear")] * 2


def test_a_sync_that_ends_in_an_error_says_why(tmp_path: Path) -> None:
    logs = {"items": [{"severity": "error", "statusCode": "ELQ-00107", "message": "There was an error."}]}
    with conversation("eloqua", tmp_path) as tool:
        tool.server.faults = [Fault(5, reply=Reply(200, {"status": "error"})), Fault(6, reply=Reply(200, logs))]
        outcomes = tool.send(tool.members([1]))
    assert outcomes == [Failed("k1", "ELQ-00107", "There was an error.")]


def test_rows_are_one_message_up_to_twenty(tmp_path: Path) -> None:
    with conversation("slack", tmp_path) as tool:
        tool.send(tool.members(range(25)))
        messages: list[str] = tool.server.fake.messages  # type: ignore[attr-defined]  # this fake's own
    assert [message.count("•") for message in messages] == [20, 5]
    assert messages[0].startswith("*New in vip*\n")
