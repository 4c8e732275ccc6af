"""What a plan leaves out, what it asks a person about, and what makes a row come back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.project import Project, project

from loader.errors import ConfigError


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Project]:
    with project("webhook", tmp_path) as found:
        yield found


def rows(made: Project, count: int) -> None:
    made.audience(made.people(range(1, count + 1)))


def test_rows_without_a_key_or_with_one_that_another_has_are_told_and_not_sent(made: Project) -> None:
    people = made.people((1, 2, 3, 4))
    made.audience([*people, {**people[0], "id": None}, {**people[1], "plan": "pro"}])
    done = made.sync()
    assert (done.confirmed, done.invalid, done.state) == (3, 3, "success")
    assert {(each.code, each.rows, each.key) for each in done.reasons} == {
        ("duplicate_key", 1, "u2"),
        ("null_key", 1, ""),
    }
    assert made.server.fake.held().keys() == {"u1", "u3", "u4"}


def test_a_key_that_becomes_ambiguous_is_no_reason_to_remove(made: Project) -> None:
    rows(made, 3)
    made.sync()
    people = made.people((1, 2, 3))
    made.audience([*people, {**people[1], "plan": "pro"}])
    done = made.sync()
    assert (done.removes, done.changes, done.invalid) == (0, 0, 2)
    assert made.server.fake.held() == made.case.held((1, 2, 3))


def test_many_removals_wait_for_a_person_and_then_do_what_was_shown(made: Project) -> None:
    made.settings["guard"] = {"free_removals": 2, "max_removals": "20%"}
    rows(made, 10)
    made.sync()
    rows(made, 7)
    waiting = made.sync()
    assert (waiting.state, waiting.removes, waiting.removed, waiting.requests) == ("needs_approval", 3, 0, 0)
    assert len(made.server.fake.held()) == 10
    rows(made, 1)  # what is approved is the plan as it was shown
    done = made.sync(approve=waiting.run_id)
    assert (done.run_id, done.state, done.removed) == (waiting.run_id, "success", 3)
    assert made.server.fake.held() == made.case.held(range(1, 8))
    with pytest.raises(ConfigError, match="only the latest plan"):
        made.sync(approve=waiting.run_id)


def test_two_removals_of_ten_are_within_the_guard(made: Project) -> None:
    made.settings["guard"] = {"free_removals": 0, "max_removals": "20%"}
    rows(made, 10)
    made.sync()
    rows(made, 8)
    assert made.sync().removed == 2


def test_an_empty_audience_waits_for_a_person(made: Project) -> None:
    made.settings["guard"] = {"free_removals": 100}
    rows(made, 3)
    made.sync()
    rows(made, 0)
    assert made.sync().state == "needs_approval"
    assert len(made.server.fake.held()) == 3
    made.settings["guard"] = {"free_removals": 100, "allow_empty": True}
    assert made.sync().removed == 3
    assert dict(made.server.fake.held()) == {}


def test_an_audience_that_was_always_empty_is_no_error(made: Project) -> None:
    made.settings["guard"] = {}
    rows(made, 0)
    assert made.sync().state == "success"


def test_whoever_is_suppressed_is_never_sent_and_leaves(made: Project) -> None:
    rows(made, 4)
    made.sync()
    (made.folder / "suppressed.sql").write_text("SELECT 'u2' AS id UNION ALL SELECT 'u2' UNION ALL SELECT 'u9';")
    made.settings["suppress"] = str(made.folder / "suppressed.sql")
    rows(made, 5)
    done = made.sync()
    assert (done.adds, done.removed, done.suppressed) == (1, 1, 1)
    assert made.server.fake.held() == made.case.held((1, 3, 4, 5))
    del made.settings["suppress"]
    assert made.sync().adds == 1


def test_a_holdout_is_always_the_same_and_is_written_down(made: Project) -> None:
    made.settings["holdout"] = "30%"
    made.audience(made.people(range(40)))
    done = made.sync()
    held_out = {key for (key,) in made.query("SELECT row_key FROM loader.sync_ledger WHERE state = 'held_out'")}
    assert 4 <= len(held_out) <= 20
    assert (done.confirmed, done.held_out) == (40 - len(held_out), len(held_out))
    assert made.server.fake.held().keys() == {f"u{number}" for number in range(40)} - held_out
    assert made.sync().adds == 0
    assert {key for (key,) in made.query("SELECT row_key FROM loader.sync_ledger WHERE state = 'held_out'")} == held_out
    made.settings["holdout"] = "0%"
    assert made.sync().adds == len(held_out)


def test_a_baseline_counts_as_sent(made: Project) -> None:
    made.settings["first_sync"] = "baseline_only"
    rows(made, 5)
    done = made.sync()
    assert (done.confirmed, done.requests, made.server.arrived) == (5, 0, 0)
    made.audience([*made.people((1, 2, 3)), *made.people((4,), plan="pro")])
    done = made.sync()
    assert (done.changes, done.removes, done.adds) == (1, 1, 0)
    assert made.server.fake.held() == made.case.held((4,), "held_changed")


def test_what_is_refreshed_is_sent_again_unchanged(made: Project) -> None:
    rows(made, 2)
    made.sync()
    made.settings["refresh_days"] = 1
    assert made.sync().changes == 0
    with_old = "UPDATE loader.sync_ledger SET sent_at = sent_at - INTERVAL 25 HOUR WHERE row_key = 'u1'"
    made.change(with_old)
    assert made.sync().changes == 1
    assert made.sync().changes == 0


def test_a_resync_sends_everything_once(made: Project) -> None:
    rows(made, 4)
    made.sync()
    done = made.sync(resync=True)
    assert (done.changes, done.confirmed) == (4, 4)
    assert made.sync().changes == 0


def test_a_changed_mapping_sends_everything_and_a_column_that_is_not_mapped_nothing(made: Project) -> None:
    rows(made, 3)
    made.sync()
    made.settings["fields"] = {"email": "email", "plan": "plan"}
    assert made.sync().changes == 3
    made.audience(made.people((1, 2, 3), visits=99))
    assert made.sync().changes == 0


def test_inserts_are_sent_once_whatever_changes(made: Project) -> None:
    made.settings["mode"] = "insert"
    rows(made, 3)
    made.sync()
    made.audience([*made.people((1,), plan="pro"), *made.people((4,))])
    done = made.sync()
    assert (done.adds, done.changes, done.removes) == (1, 0, 0)
    assert made.server.fake.held() == made.case.held((1, 2, 3, 4))


def test_a_row_of_five_megabytes_is_rejected_and_the_others_arrive(made: Project) -> None:
    made.audience([*made.people((1,)), *made.people((2,), plan="x" * 5_000_000), *made.people((3,))])
    done = made.sync()
    assert (done.confirmed, done.invalid) == (2, 1)
    assert [each.code for each in done.reasons] == ["too_large"]


def test_null_and_empty_differ_and_types_keep_their_texts(made: Project) -> None:
    made.audience(made.people((1,), plan=None))
    made.sync()
    assert made.server.fake.held()["u1"]["plan"] is None
    made.audience(made.people((1,), plan=""))
    assert made.sync().changes == 1
    assert made.server.fake.held()["u1"]["plan"] == ""


def test_two_rows_that_share_an_identifier_share_one_person(tmp_path: Path) -> None:
    with project("segment", tmp_path) as made:
        one, two = made.people((1,))[0], {**made.people((2,))[0], "user": "u1"}
        made.audience([one, two])
        made.sync()
        assert made.server.fake.held()["u1"]["vip"] is True
        made.audience([two])
        done = made.sync()
        assert (done.removed, done.requests) == (1, 0)
        assert made.server.fake.held()["u1"]["vip"] is True, "the other row still wants this person"
        made.audience([])
        assert made.sync().removed == 1
        assert made.server.fake.held()["u1"]["vip"] is False


def test_who_takes_over_an_identifier_keeps_it(tmp_path: Path) -> None:
    with project("segment", tmp_path) as made:
        made.audience(made.people((1, 2)))
        made.sync()
        one, two = made.people((1, 2))
        made.audience(
            [{**one, "user": "u9"}, {**two, "user": "u1"}]
        )  # the first moves away, the second takes its place
        assert made.sync().state == "success"
        assert {name: each["vip"] for name, each in made.server.fake.held().items()} == {
            "u1": True,
            "u2": False,
            "u9": True,
        }
        made.audience([{**one, "user": "U9"}, {**two, "user": " u1"}])  # the second is the same to the tool
        made.sync()
        assert {name: each["vip"] for name, each in made.server.fake.held().items()} == {
            "u1": True,
            "u2": False,
            "u9": False,
            "U9": True,
        }
