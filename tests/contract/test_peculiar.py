"""What is peculiar to one tool, beyond the laws for all of them."""

from pathlib import Path

from contract.case import conversation
from contract.project import project
from loader.core.audience import Accepted, Failed
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
