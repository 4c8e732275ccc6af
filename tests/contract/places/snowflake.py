"""Snowflake: a database of its own for every test, on the stand-in."""

from collections.abc import Iterator
from contextlib import contextmanager

from standins import snowflake
from standins.snowflake import Account

from contract.places import Place

_VARIABLE = "TEST_SNOWFLAKE_PASSWORD"


@contextmanager
def serve() -> Iterator[Place]:
    """Yield the place on a stand-in of its own."""
    with snowflake.serve() as account:
        yield Place(
            "snowflake",
            lambda: settings(account),
            denied=lambda: f'{settings(account)}\nrole = "READER"',
            environment={_VARIABLE: account.password},
        )


def settings(account: Account) -> str:
    """Return the settings of a new database."""
    return (
        f'kind = "snowflake"\naccount = "acme"\nuser = "{account.user}"\npassword = "env:{_VARIABLE}"\n'
        f'database = "{account.database()}"\nwarehouse = "LOADING"\nendpoint = "http://127.0.0.1:{account.port}"'
    )
