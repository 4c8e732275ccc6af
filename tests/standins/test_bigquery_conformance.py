"""Does the stand-in do what BigQuery's documentation says? The same cases run on the real service:

    LOADER_LIVE_BIGQUERY=<project> [LOADER_LIVE_BIGQUERY_LOCATION=EU] pytest tests/standins/test_bigquery_conformance.py

with application default credentials; they make a dataset, and remove it. With LOADER_LIVE_BIGQUERY_BUCKET, a bucket in
the same location, load jobs read objects there, too. Nobody has done so yet: a case that was seen to hold there is to
be marked `verified_on_the_real_service`.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from loader.config import Access
from loader.core.objects import Store
from loader.storage import connect
from standins import gcs
from standins.bigquery import PROJECT, Standin, serve
from standins.bigquery_loads import LOADS
from standins.bigquery_objects import OBJECTS
from standins.bigquery_probe import Case, Probe, outcome
from standins.bigquery_statements import STATEMENTS

LIVE = os.environ.get("LOADER_LIVE_BIGQUERY")
CASES = (*LOADS, *OBJECTS, *STATEMENTS)
Service = tuple[bigquery.Client, Store | None]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Return a client, and a bucket that load jobs can read."""
    if LIVE:
        bucket = os.environ.get("LOADER_LIVE_BIGQUERY_BUCKET")
        store = connect(f"gs://{bucket}/conformance-{uuid.uuid4().hex[:12]}", base=Path()) if bucket else None
        with bigquery.Client(LIVE, location=os.environ.get("LOADER_LIVE_BIGQUERY_LOCATION")) as opened:
            yield opened, store
        return
    with gcs.serve("objects") as cloud, serve(storage=cloud.endpoint) as standin:
        yield connected(standin), connect("gs://objects/p", access=Access(endpoint=cloud.endpoint), base=Path())


@pytest.fixture(scope="module")
def probe(service: Service) -> Iterator[Probe]:
    client, bucket = service
    dataset = f"conformance_{uuid.uuid4().hex[:12]}"
    client.create_dataset(dataset)
    yield Probe(client, dataset, bucket)
    client.delete_dataset(dataset, delete_contents=True)
    if bucket is not None:
        bucket.delete([file.key for file in bucket.list()])


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
