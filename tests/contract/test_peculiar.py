"""What is peculiar to one tool, beyond the laws for all of them."""

from pathlib import Path

from contract.case import conversation, rejected
from contract.project import project
from loader.core.audience import Accepted, Failed, Member
from loader.rehearsal.fake import Reply
from loader.rehearsal.serving import Fault


def test_salesforce_deletes_records_where_the_mode_says_so(tmp_path: Path) -> None:
    with project("salesforce", tmp_path, mode="mirror") as made:
        made.audience(made.people((1, 2, 3)))
        made.sync()
        made.audience(made.people((1, 3)))
        assert made.sync().removed == 1
        assert made.server.fake.held() == made.case.held((1, 3))


def test_salesforce_begins_another_job_where_data_came_twice(tmp_path: Path) -> None:
    with conversation("salesforce", tmp_path) as tool:
        tool.server.faults = [Fault(3, drop_after=True)]  # after the log-in and the job: the upload
        outcomes = tool.send(tool.members([1, 2]))
        assert [type(each) for each in outcomes] == [Accepted, Accepted]
        assert tool.server.fake.held() == tool.case.held([1, 2])
        assert sum(each.path.endswith("/jobs/ingest") for each in tool.server.seen) == 2


def test_salesforce_fails_rows_of_a_job_with_a_column_that_there_is_not(tmp_path: Path) -> None:
    with conversation("salesforce", tmp_path, flag="Nowhere__c") as tool:
        found = tool.send(tool.members([1]))
        assert found == [Failed("k1", "unprocessed", "Field name not found : Nowhere__c")]


def test_salesforce_without_a_flag_says_that_nothing_marks_who_leaves(tmp_path: Path) -> None:
    with project("salesforce", tmp_path) as made:
        made.tool["flag"] = None
        made.audience(made.people((1, 2)))
        made.sync()
        made.audience(made.people((1,)))
        done = made.sync()
        assert (done.rejected, [each.code for each in done.reasons]) == (1, ["no_record"])


def test_google_counts_whom_it_leaves_out_and_nobody_is_called_confirmed_then(tmp_path: Path) -> None:
    with project("google_data_manager", tmp_path) as made:
        made.audience([*made.people((1,)), *made.people((2,), email="fake2@blocked.example")])
        done = made.sync()
        assert (done.state, done.confirmed, done.failed) == ("partial", 0, 2)
        assert [(each.code, each.message) for each in done.reasons] == [
            ("PROCESSING_ERROR_REASON_INVALID_FORMAT", "not told of whom: 1 × PROCESSING_ERROR_REASON_INVALID_FORMAT")
        ]
        made.audience(made.people((1, 2)))
        assert made.sync().confirmed == 2
        assert made.server.fake.held() == made.case.held((1, 2))


def test_a_log_in_that_answers_something_else_is_told_and_nothing_is_sent(tmp_path: Path) -> None:
    with project("google_data_manager", tmp_path) as made:
        made.audience(made.people((1,)))
        made.server.faults = [Fault(1, reply=Reply(200, ["welcome"]))]
        done = made.sync()
        assert (done.state, done.confirmed, made.server.arrived) == ("failed", 0, 1)
        assert "no log-in to Google Customer Match: the answer has not the form" in (done.error or "")


def test_a_sheet_keeps_the_columns_and_the_order_of_people_and_fills_its_gaps(tmp_path: Path) -> None:
    with project("google_sheets", tmp_path) as made:
        made.audience(made.people((1, 2, 3)))
        made.sync()
        cells = made.server.fake.cells  # type: ignore[attr-defined]
        assert [row[0] for row in cells] == ["key", "001", "002", "003"]
        for row in cells:  # a person adds a column, and sorts
            row.append({"key": "note", "001": "call her"}.get(row[0], ""))
        cells[1:] = cells[:0:-1]
        made.audience([*made.people((1,), visits=9), *made.people((2, 4))])
        assert made.sync().state == "success"
        cells = made.server.fake.cells  # type: ignore[attr-defined]
        assert [(row[0], row[3], row[4]) for row in cells] == [
            *(("key", "visits", "note"), ("004", 3, ""), ("002", 3, ""), ("001", 9, "call her"))
        ]


def test_a_tab_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    with project("google_sheets", tmp_path) as made:
        made.server.fake.cells[0][0] = "Budget"  # type: ignore[attr-defined]
        made.audience(made.people((1,)))
        done = made.sync()
        assert (done.state, done.confirmed) == ("failed", 0)
        assert "another word than 'key'" in (done.error or "")
        made.tool["tab"] = "Sheet1"
        assert "there is no tab 'Sheet1'; there are \"People's list\"" in (made.sync().error or "")


def test_marketing_clouds_results_are_read_to_the_last_page(tmp_path: Path) -> None:
    with conversation("salesforce_marketing_cloud", tmp_path) as tool:
        bad = tool.member(118, email="fake118@blocked.example")
        assert isinstance(bad, Member)
        outcomes = tool.send([*tool.members(range(118)), bad, tool.members([119])[0]])
        assert rejected(outcomes) == {"k118": "UnexpectedError"}
        assert tool.server.fake.held() == tool.case.held([*range(118), 119])


def test_marketing_cloud_calls_nobody_confirmed_where_results_are_missing(tmp_path: Path) -> None:
    with conversation("salesforce_marketing_cloud", tmp_path) as tool:
        bad = tool.member(2, email="fake2@blocked.example")
        assert isinstance(bad, Member)
        some = {"page": 1, "pageSize": 50, "count": 1, "items": [{"status": "Error", "errorCode": "X"}]}
        tool.server.faults = [Fault(6, reply=Reply(200, some))]  # log-in, rows, three looks, results
        assert {each.code for each in tool.send([*tool.members([1]), bad]) if isinstance(each, Failed)} == {
            "results_incomplete"
        }


def test_hubspot_is_read_and_whom_it_has_just_so_is_adopted(tmp_path: Path) -> None:
    with project("hubspot", tmp_path) as made:
        made.audience(made.people((1, 2, 3)))
        made.sync()
        for table in ("sync_ledger", "sync_rows", "sync_runs"):  # as if another product had sent them
            made.change(f"DELETE FROM loader.{table}")
        made.settings["first_sync"] = "adopt"
        first = len(made.server.seen)
        plan = made.plan()
        assert plan.adds == 3
        assert plan.notes == (
            "the tool is not asked before the run: whom it has just so is among the rows to add, and will not be sent",
        )
        assert made.server.seen[first:] == []
        assert made.sync().confirmed == 3
        assert [each.path for each in made.server.seen[first:]] == [
            *("/crm/v3/objects/contacts/batch/read", "/crm/v3/lists/7/memberships/add-and-remove")
        ]
        assert made.plan().notes == (), "the ledger knows them now"
        assert made.sync().requests == 0
        made.audience(made.people((1,)))
        assert made.sync().removed == 2, "whom it adopted it removes, under the id that was read"
        assert made.server.fake.held() == made.case.held((1,))


def test_who_is_not_there_just_so_is_sent_though_others_are_adopted(tmp_path: Path) -> None:
    with project("hubspot", tmp_path, first_sync="adopt") as made:
        made.audience(made.people((1, 2)))
        assert made.sync().confirmed == 2, "nobody is there yet"
        for table in ("sync_ledger", "sync_rows", "sync_runs"):
            made.change(f"DELETE FROM loader.{table}")
        made.audience([*made.people((1,)), *made.people((2,), first=None), *made.people((3,))])
        made.server.fake.records["1001"]["lifecyclestage"] = "lead"  # type: ignore[attr-defined]  # another's property
        assert made.sync().confirmed == 3
        held = made.server.fake.held()
        assert held["person2@example.com"] == {
            **made.case.held((2,), "held_changed")["person2@example.com"],
            "lifecyclestage": "lead",
        }
        assert {name: held[name] for name in made.case.held((1, 3))} == made.case.held((1, 3))


def test_a_tool_that_cannot_be_read_now_is_sent_all(tmp_path: Path) -> None:
    with project("hubspot", tmp_path, first_sync="adopt") as made:
        made.audience(made.people((1, 2)))
        made.server.faults = [Fault(1, reply=Reply(200, body=b"<html>welcome</html>"))]
        assert made.sync().confirmed == 2
        assert made.server.fake.held() == made.case.held((1, 2))
