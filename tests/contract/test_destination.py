"""One suite for every destination, against its fake: what the engine relies on.

The invariants that need the whole engine are in `test_invariants`. A destination without a fake, without cases, or
without a row that is rejected fails here.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from contract.case import CASES, REMOVING, SLUGS, Case, Conversation, case, conversation, rejected
from loader.config.reading import Place, record
from loader.core.audience import Accepted, Member, Op, Refused
from loader.core.destination import Resend
from loader.core.settings import Secret
from loader.errors import DestinationError
from loader.rehearsal.fake import Reply
from loader.rehearsal.serving import Fault

# What a warehouse may hold in any column.
ODD: tuple[Any, ...] = (
    *(None, "", " ", "\x00", "a" * 70_000, "Ünïcödé ☃ 💥", "'; DROP TABLE x; --", '{"a":[1]}', "=1+1", "null"),
    *(0, -1, 2**63 - 1, 1.5, -0.0, 1e308, True, False, Decimal("1.10"), b"\xff\x00", [], {}, [None, {"a": 1}]),
    *(datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, 5), date(9999, 12, 31)),
)
MANY = 2_500  # rows of a batch up to which the limit is tried for real
everywhere = pytest.mark.parametrize("slug", SLUGS)


@pytest.fixture
def tool(slug: str, tmp_path: Path) -> Iterator[Conversation]:
    """The destination, speaking to its fake."""
    with conversation(slug, tmp_path) as found:
        yield found


@everywhere
def test_there_is_a_fake_and_a_file_of_cases(slug: str) -> None:
    assert find_spec(f"loader.rehearsal.{slug}"), f"loader/rehearsal/{slug}.py is missing"
    assert (CASES / f"{slug}.json").exists()
    by = {each["by"] for each in case(slug).written["rejected"]}
    assert by, "needs a row that is rejected"


@everywhere
def test_the_file_is_short_and_cites_its_vendor(slug: str) -> None:
    path = Path(__file__).parents[2] / "loader" / "destinations" / f"{slug}.py"
    assert path.read_text(encoding="utf-8").count("\n") <= 120
    assert case(slug).destination.docs.startswith("https://")


@everywhere
def test_identifiers_are_fields_and_modes_are_some(slug: str) -> None:
    destination = case(slug).destination
    known = {each.name for each in destination.fields}
    assert set(destination.identity) <= known or destination.extra is not None
    assert destination.modes
    assert case(slug).mode in destination.modes


@everywhere
def test_the_check_says_what_it_found(tool: Conversation) -> None:
    destination = tool.case.destination
    before = dict(tool.server.fake.held())
    tool.exchange.login()
    assert tool.exchange.run(destination.check)
    assert dict(tool.server.fake.held()) == before, "a check changes nothing"


@everywhere
def test_rows_arrive_as_the_cases_say(tool: Conversation) -> None:
    outcomes = tool.send(tool.members([1, 2, 3]))
    assert sorted(each.key for each in outcomes) == sorted(str(tool.case.row(n)["id"]) for n in (1, 2, 3))
    assert {type(each) for each in outcomes} == {Accepted}
    assert tool.server.fake.held() == tool.case.held([1, 2, 3])


@everywhere
def test_a_change_is_made(tool: Conversation) -> None:
    if not tool.case.written.get("change"):
        pytest.skip("never: what was sent to this tool cannot be changed")
    tool.send(tool.members([1, 2]))
    tool.send(tool.members([2], Op.CHANGE, **tool.case.written["change"]))
    assert tool.server.fake.held() == {**tool.case.held([1]), **tool.case.held([2], "held_changed")}


@everywhere
def test_who_is_removed_is_gone_and_removing_twice_is_fine(tool: Conversation) -> None:
    if tool.case.mode not in REMOVING:
        assert not tool.case.destination.modes & set(REMOVING), "the cases leave removals out"
        return
    tool.send(tool.members([1, 2, 3]))
    for _ in range(2):
        outcomes = tool.send(tool.members([2], Op.REMOVE))
        assert [type(each) for each in outcomes] == [Accepted]
        assert tool.server.fake.held() == {**tool.case.held([1, 3]), **tool.case.held([2], "held_removed")}


@everywhere
def test_bad_rows_are_rejected_with_their_code_and_the_others_arrive(tool: Conversation) -> None:
    for number, each in enumerate(tool.case.written["rejected"], 10):
        bad = tool.member(number, **each["row"])
        if each["by"] == "us":
            assert isinstance(bad, Refused), each["why"]
            assert bad.code == each["code"], each["why"]
            continue
        assert isinstance(bad, Member), (each["why"], bad)
        good = tool.members([number + 100, number + 200])
        outcomes = tool.send([good[0], bad, good[1]])
        assert rejected(outcomes) == {bad.key: each["code"]}, each["why"]
        assert len(outcomes) == 3
        expected = tool.case.held([number + 100, number + 200])
        held = tool.server.fake.held()
        assert {name: held.get(name) for name in expected} == expected, each["why"]


@everywhere
def test_a_batch_sent_twice_is_held_once(tool: Conversation) -> None:
    if tool.case.destination.resend is Resend.UNSAFE:
        pytest.skip("never: this tool does it twice, so the engine never sends it twice")
    tool.server.faults.append(Fault(at=tool.server.arrived + 1, drop_after=True))
    outcomes = tool.send(tool.members([1, 2]))
    assert {type(each) for each in outcomes} == {Accepted}
    assert tool.server.fake.held() == tool.case.held([1, 2])


@everywhere
def test_a_request_that_did_not_arrive_is_sent_again(tool: Conversation) -> None:
    slow = Reply(429, {"message": "slow down"}, {"Retry-After": "0"})
    down = Reply(503, body=b"<html>down</html>")
    first = tool.server.arrived + 1
    tool.server.faults += [Fault(at=first, reply=slow), Fault(at=first + 1, reply=down)]
    outcomes = tool.send(tool.members([1]))
    assert {type(each) for each in outcomes} == {Accepted}
    assert tool.server.fake.held() == tool.case.held([1])


@everywhere
def test_the_limits_of_a_batch_are_those_of_the_fake(tool: Conversation) -> None:
    rows = tool.case.destination.limits.rows
    if rows > MANY:
        pytest.skip("notyet: too many rows for a quick test; the fake refuses more than its own limit all the same")
    tool.exchange.login()  # which a tool may well answer with an error on purpose
    before = len(tool.server.seen)
    outcomes = tool.send(tool.members(range(rows + 1)))
    assert {type(each) for each in outcomes} == {Accepted}
    assert len(outcomes) == rows + 1
    assert [each.status for each in tool.server.seen[before:] if each.status in (400, 413)] == []
    assert tool.server.most_at_once == 1


@everywhere
def test_encode_is_total(tool: Conversation) -> None:
    for name in tool.case.written["row"]:
        for value in ODD:
            changes: dict[str, Any] = {name: value} if name != "id" else {}
            for op in Op:
                found = tool.member(1, op, **changes)
                assert isinstance(found, Member | Refused)
                if isinstance(found, Refused):
                    assert found.code
                    assert "a" * 100 not in found.message


@everywhere
def test_no_secret_is_shown(tool: Conversation) -> None:
    secrets = [value.reveal() for value in _values(tool.settings) if isinstance(value, Secret)]
    texts = repr(tool.settings) + repr(tool.exchange.account)
    assert [each for each in secrets if each and each in texts] == []


@everywhere
def test_wrong_credentials_stop_at_once_and_nothing_is_marked_sent(slug: str, tmp_path: Path) -> None:
    wrong = case(slug).written.get("wrong_settings")
    if wrong is None:
        kinds = case(slug).destination.settings.__annotations__
        wrong = {name: "wrong" for name, kind in kinds.items() if "Secret" in str(kind)}
    if case(slug).written.get("credentials") == "unchecked":
        pytest.skip("never: this tool takes anything from anybody")
    with conversation(slug, tmp_path, **wrong) as found:
        with pytest.raises(DestinationError):
            found.send(found.members([1]))
        assert dict(found.server.fake.held()) == {}
        assert found.server.arrived <= 3


@everywhere
def test_settings_are_closed(slug: str) -> None:
    with pytest.raises(Exception, match="no such setting"):
        record({"tokken": "x"}, case(slug).destination.settings, Place("case", (slug,), {}))


@everywhere
def test_who_is_hashed_leaves_hashed(tool: Conversation) -> None:
    destination = tool.case.destination
    hashed = [field.name for field in destination.fields if field.hashed and field.name in tool.case.written["fields"]]
    for member in tool.members([1]):
        assert [name for name in hashed if not re.fullmatch("[0-9a-f]{64}", str(member.fields[name]))] == []
        plain = [tool.case.row(1)[tool.case.written["fields"][name]] for name in hashed]
        assert [value for value in plain if str(value).encode() in bytes(member.raw)] == []


def _values(settings: Any) -> list[object]:
    return [getattr(settings, name) for name in settings.__struct_fields__]


def test_the_cases_are_of_destinations_that_exist() -> None:
    assert sorted(path.stem for path in CASES.glob("*.json")) == list(SLUGS)
    assert all(isinstance(case(slug), Case) for slug in SLUGS)
