"""Does the stand-in do what BigQuery's documentation says? The same cases run on the real service:

    LOADER_LIVE_BIGQUERY=<project> [LOADER_LIVE_BIGQUERY_LOCATION=EU] pytest tests/standins/test_bigquery_conformance.py

with application default credentials; they make a dataset, and remove it. Nobody has done so yet: a case that was seen
to hold there is to be marked `verified_on_the_real_service`.
"""

import os
import uuid
from collections.abc import Iterator

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from standins.bigquery import PROJECT, Standin, serve
from standins.bigquery_loads import LOADS
from standins.bigquery_probe import Case, Probe, outcome
from standins.bigquery_statements import STATEMENTS

LIVE = os.environ.get("LOADER_LIVE_BIGQUERY")
CASES = (*LOADS, *STATEMENTS)


@pytest.fixture(scope="module")
def client() -> Iterator[bigquery.Client]:
    if LIVE:
        with bigquery.Client(LIVE, location=os.environ.get("LOADER_LIVE_BIGQUERY_LOCATION")) as opened:
            yield opened
        return
    with serve() as standin:
        yield connected(standin)


@pytest.fixture(scope="module")
def probe(client: bigquery.Client) -> Iterator[Probe]:
    dataset = f"conformance_{uuid.uuid4().hex[:12]}"
    client.create_dataset(dataset)
    yield Probe(client, dataset)
    client.delete_dataset(dataset, delete_contents=True)


def connected(standin: Standin) -> bigquery.Client:
    options = {"api_endpoint": standin.endpoint}
    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]  # google-auth has no types there
    return bigquery.Client(PROJECT, credentials=nobody, client_options=options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_does_what_the_documentation_says(case: Case, probe: Probe) -> None:
    expected = case.expected
    assert outcome(case, probe) == expected, case.source


def test_no_case_was_verified_on_the_real_service_yet() -> None:
    """README says so; whoever verifies one changes both."""
    assert [case.name for case in CASES if case.verified_on_the_real_service] == []
