"""Redshift: a database of its own for every test, on the stand-in before a real PostgreSQL; its S3 is moto."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

from standins import postgres, redshift, s3
from standins.redshift import Redshift

from contract.places import Place

_VARIABLE = "TEST_REDSHIFT_PASSWORD"


@contextmanager
def serve() -> Iterator[Place]:
    """Yield the place, with a proxy for each database."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres.serve())
        endpoint = stack.enter_context(s3.serve())
        word = server.password.replace("'", "''")
        postgres.run(server, [f"CREATE ROLE reader LOGIN PASSWORD '{word}'"])

        def fresh() -> Redshift:
            return stack.enter_context(redshift.serve(server.dsn(), s3=endpoint))

        yield Place(
            "redshift",
            lambda: settings(found := fresh(), found.user),
            denied=lambda: settings(fresh(), "reader"),
            staging=lambda: staging(endpoint),
            environment={_VARIABLE: server.password},
        )


def settings(cluster: Redshift, user: str) -> str:
    """Return the settings of a database."""
    return (
        f'kind = "redshift"\nhost = "127.0.0.1"\nport = {cluster.port}\ndatabase = "{cluster.database}"\n'
        f'user = "{user}"\npassword = "env:{_VARIABLE}"\nsslmode = "disable"\n'
        'iam_role = "arn:aws:iam::123456789012:role/copier"'
    )


def staging(endpoint: str) -> str:
    """Return the settings of a prefix that nobody else has."""
    keys = f'access_key_id = "env:{_VARIABLE}", secret_access_key = "env:{_VARIABLE}"'
    access = f'{{ endpoint = "{endpoint}", region = "us-east-1", {keys} }}'
    return f'url = "s3://{s3.BUCKET}/{uuid4().hex}"\naccess = {access}'
