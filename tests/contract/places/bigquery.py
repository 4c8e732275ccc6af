"""BigQuery: a server of its own for every test. It starts in a few hundredths of a second."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from standins import bigquery

from contract.places import Place

_MAKING = r"/jobs\b(?s:.)*CREATE (?:SCHEMA|TABLE|OR REPLACE VIEW)"


@contextmanager
def serve() -> Iterator[Place]:
    """Yield the place; its servers end with it."""
    with ExitStack() as stack:

        def fresh(*, denied: bool = False) -> str:
            served = stack.enter_context(bigquery.serve(update_seconds=2.0))  # so that tests need not wait for ten
            if denied:
                told = "Access Denied: Project proj: User does not have bigquery.datasets.create permission"
                served.faults.add(_MAKING, "refuse", times=1_000, status=403, reason="accessDenied", message=told)
            return f'kind = "bigquery"\nproject = "{bigquery.PROJECT}"\nendpoint = "{served.endpoint}"'

        yield Place("bigquery", fresh, denied=lambda: fresh(denied=True))
