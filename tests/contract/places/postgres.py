"""PostgreSQL: a database of its own for every test, on one real server."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from standins import postgres
from standins.postgres import Server

from contract.places import Place

_VARIABLE = "TEST_POSTGRES_PASSWORD"


@contextmanager
def serve() -> Iterator[Place]:
    """Yield the place on a new server."""
    with postgres.serve() as server:
        postgres.run(server, [f"CREATE ROLE reader LOGIN PASSWORD '{_doubled(server.password)}'"])
        yield Place(
            "postgres",
            lambda: settings(server, fresh(server), server.user),
            denied=lambda: settings(server, fresh(server), "reader"),
            environment={_VARIABLE: server.password},
        )


def settings(server: Server, database: str, user: str) -> str:
    """Return the settings of a database of the server."""
    return (
        f'kind = "postgres"\nhost = "{server.host}"\nport = {server.port}\ndatabase = "{database}"\n'
        f'user = "{user}"\npassword = "env:{_VARIABLE}"\nsslmode = "disable"'
    )


def fresh(server: Server) -> str:
    """Make an empty database; return its name."""
    name = f"test_{uuid4().hex[:12]}"
    postgres.run(server, [f"CREATE DATABASE {name}"])
    return name


def _doubled(text: str) -> str:
    return text.replace("'", "''")
