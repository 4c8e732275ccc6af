"""A Redshift for the tests of this folder."""

from collections.abc import Iterator

import pytest
from standins import redshift, s3
from standins.postgres import Server

from redshift.project import Place


@pytest.fixture(scope="module")
def served(postgres_server: Server) -> Iterator[Place]:
    with s3.serve() as endpoint, redshift.serve(postgres_server.dsn(), s3=endpoint) as cluster:
        yield Place(cluster, endpoint)


@pytest.fixture
def place(served: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A Redshift without a table of ours."""
    served.tell(monkeypatch)
    served.clean()
    yield served
    served.cluster.faults.clear()
