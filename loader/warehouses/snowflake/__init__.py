"""Snowflake, through Snowflake's own connector.

A table is loaded by PUT (or from an external stage), one COPY into a transient staging table, and then one transaction
that has its rows and the ledger's. Staging tables and files have the load's id in their names, so that `clear` finds
what a crash left. Every statement carries a query tag, by which QUERY_HISTORY finds what all loads cost.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from loader.config.warehouses import Snowflake as Settings
from loader.core.cost import Cost
from loader.core.dialect import Dialect
from loader.core.schema import Column, Tables
from loader.core.staging import Delivery, Staged
from loader.core.types import ColumnType
from loader.core.warehouse import Session, Site
from loader.errors import ConfigError, WarehouseError
from loader.warehouses.snowflake import sessions, staging
from loader.warehouses.snowflake.dialect import DIALECT
from loader.warehouses.snowflake.history import history
from loader.warehouses.snowflake.sessions import Connection, Connections, Statements

_TYPES = {
    "BOOLEAN": ColumnType.BOOLEAN,
    "NUMBER": ColumnType.INTEGER,  # with a scale of 0; else it is none of ours
    "FLOAT": ColumnType.DOUBLE,
    "TIMESTAMP_LTZ": ColumnType.TIMESTAMP,
    "TIMESTAMP_TZ": ColumnType.TIMESTAMP,
    "TEXT": ColumnType.STRING,
    "VARIANT": ColumnType.JSON,
}
_INSTALL = "pip install 'warehouse-loader[snowflake]'"


class Snowflake:
    """An open Snowflake database."""

    dialect: Dialect = DIALECT

    def __init__(self, connections: Connections, site: Site, stage: str | None) -> None:
        self._connections, self._site, self._stage = connections, site, stage
        self._prepared, self._began = Event(), time.monotonic()

    def describe(self, schema: str) -> Tables:
        """Return the columns of every table of `schema`, in order; a type that is not ours counts as a string."""
        with self._connections.statements() as statements:
            found = statements.run(
                "SELECT table_name, column_name, data_type, numeric_scale FROM information_schema.columns "
                "WHERE table_schema = ? ORDER BY table_name, ordinal_position",
                [schema.upper()],
            )
        tables: dict[str, dict[str, Column]] = {}
        for table, column, spelled, scale in found:
            kind = ColumnType.STRING if scale else _TYPES.get(spelled, ColumnType.STRING)
            tables.setdefault(_folded(table), {})[_folded(column)] = Column(kind)
        return tables

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a transaction on a connection of its own."""
        with self._connections.statements() as statements:
            session = sessions.Session(statements, self._prepare)
            try:
                yield session
            except BaseException:
                session.roll_back()
                raise
            session.commit()

    @contextmanager
    def staged(self, delivery: Delivery) -> Iterator[list[Staged]]:
        """Yield the parts in staging tables, which are dropped at the end of the block."""
        with self._connections.statements() as statements:
            self._prepare(statements)
            found = list(staging.stage(statements, self._site, delivery, self._stage))
        try:
            yield found
        finally:
            with self._connections.statements() as statements:
                staging.drop(statements, delivery, found, own_stage=self._stage is None)

    def clear(self, load_id: str) -> None:
        """Drop what a crash left of a load."""
        with self._connections.statements() as statements:
            self._prepare(statements)
            staging.clear(statements, load_id, own_stage=self._stage is None)

    def history(self) -> Mapping[str, Cost]:
        """Return what Snowflake's own history says of the statements since this was opened, as far as it does."""
        with suppress(WarehouseError), self._connections.statements() as statements:
            return history(statements, seconds=time.monotonic() - self._began)
        return {}

    def cancel(self) -> None:
        """Cancel what threads wait for."""
        self._connections.cancel()

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def _prepare(self, statements: Statements) -> None:
        """Make the schema and the stage for what is staged, once: most openings stage nothing."""
        if not self._prepared.is_set():
            staging.prepare(statements, own_stage=self._stage is None)
            self._prepared.set()


def connect(settings: Settings, site: Site) -> Snowflake:
    """Log in to a Snowflake database. ConfigError says what to install or to set."""
    try:
        from snowflake import connector
    except ImportError as error:
        raise ConfigError(f"Snowflake needs its connector: {_INSTALL}") from error
    arguments = _arguments(settings)

    def opened() -> Connection:
        return connector.connect(**arguments)

    found = Connections(opened)
    with found.statements():
        pass  # a log-in now, before anything relies on it
    return Snowflake(found, site, _external(settings))


def _arguments(settings: Settings) -> dict[str, Any]:
    """Return how the connector is to log in."""
    seconds = int(settings.timeout.total_seconds())
    arguments: dict[str, Any] = {
        "account": settings.account,
        "user": settings.user,
        "database": settings.database.upper(),
        "warehouse": settings.warehouse,
        "role": settings.role,
        "application": "warehouse_loader",
        "paramstyle": "qmark",
        "login_timeout": seconds,
        "request_timeout": seconds,
        "retry_max_attempts": settings.attempts,
        "enable_server_session_keep_alive_auto_detection": False,
        "session_parameters": {"QUERY_TAG": settings.query_tag, "TIMEZONE": "UTC"},
    }
    if settings.endpoint:
        url = urlsplit(settings.endpoint)
        arguments |= {"host": url.hostname, "protocol": url.scheme, "port": url.port or 443}
    return arguments | _identity(settings)


def _identity(settings: Settings) -> dict[str, Any]:
    """Return the one way in that the settings name."""
    ways = {
        "password": settings.password,
        "private_key_file": settings.private_key_file,
        "oauth_token": settings.oauth_token,
    }
    chosen = [name for name, value in ways.items() if value is not None]
    if len(chosen) != 1:
        found = " and ".join(chosen) or "none"
        raise ConfigError(f"[warehouse] needs one of password, private_key_file and oauth_token; found {found}")
    if settings.password:
        return {"password": settings.password.reveal()}
    if settings.oauth_token:
        return {"authenticator": "OAUTH", "token": settings.oauth_token.reveal()}
    secret = settings.private_key_passphrase
    key = {"authenticator": "SNOWFLAKE_JWT", "private_key_file": settings.private_key_file}
    return key | ({"private_key_password": secret.reveal()} if secret else {})


def _external(settings: Settings) -> str | None:
    return f"@{settings.stage.strip('@/')}/" if settings.stage else None


def _folded(name: str) -> str:
    """Return a name as ours: upper case is what Snowflake makes of a name without quotes."""
    return name.lower() if name == name.upper() else name
