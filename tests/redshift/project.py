"""Projects that load into the stand-in for Redshift, and what its tables hold after."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flow import harness
from standins.redshift import Redshift

from loader.config import Config, load_config

_OURS = ("loaded_at", "load_id")


@dataclass(frozen=True, slots=True)
class Place:
    """A Redshift, empty, and its S3."""

    cluster: Redshift
    endpoint: str

    def tell(self, environment: pytest.MonkeyPatch) -> None:
        """Put the secrets into the environment."""
        environment.setenv("REDSHIFT_PASSWORD", self.cluster.password)
        environment.setenv("S3_KEY", "secret")

    def settings(self, **more: str) -> str:
        """Return [warehouse] and [staging] as text; more settings of [warehouse] as TOML."""
        found = {
            "kind": '"redshift"',
            "host": '"127.0.0.1"',
            "port": str(self.cluster.port),
            "database": f'"{self.cluster.database}"',
            "user": f'"{self.cluster.user}"',
            "password": '"env:REDSHIFT_PASSWORD"',
            "sslmode": '"disable"',
            "iam_role": '"arn:aws:iam::123456789012:role/copier"',
            **more,
        }
        warehouse = "\n".join(f"{name} = {value}" for name, value in found.items())
        keys = 'access_key_id = "env:S3_KEY"\nsecret_access_key = "env:S3_KEY"'
        access = f'[staging.access]\nendpoint = "{self.endpoint}"\nregion = "us-east-1"\n{keys}'
        return f'[warehouse]\n{warehouse}\n[staging]\nurl = "s3://events/staging"\n{access}\n'

    def project(self, folder: Path, *, source: str = "", load: str = "workers = 1", **more: str) -> Config:
        """Return the configuration of a project in `folder` with one source `web`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "events").mkdir(exist_ok=True)
        web = f'[sources.web]\nurl = "events"\nlayout = "{harness.LAYOUT}"\n{source}\n'
        path = folder / "loader.toml"
        path.write_text(f'{self.settings(**more)}[load]\nlock_wait = "20s"\n{load}\n{web}')
        return load_config(path)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, past the proxy."""
        with closing(psycopg.connect(self.cluster.backend, autocommit=True)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return [tuple(map(_plain, row)) for row in connection.execute(sql.encode()).fetchall()]

    def change(self, *statements: str) -> None:
        """Run statements past the proxy, as its superuser."""
        with closing(psycopg.connect(self.cluster.backend, autocommit=True)) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def clean(self) -> None:
        """Drop all that is ours, and forget faults and statements."""
        self.cluster.faults.clear()
        self.cluster.log.statements.clear()
        schemas = ("web", "loader", "loader_staging", "loader_doctor")
        self.change(*(f"DROP SCHEMA IF EXISTS {schema} CASCADE" for schema in schemas))

    def rows(self, table: str) -> list[Mapping[str, Any]]:
        """Return the rows of a table of the schema `web`, without what differs from load to load."""
        names = [name for (name,) in self.query(f"SELECT column_name FROM svv_columns WHERE {_of(table)}")]
        chosen = sorted(name for name in names if name not in _OURS)
        listed = ", ".join(f'"{name}"' for name in chosen)
        found = self.query(f'SELECT {listed} FROM web."{table}"')
        return sorted(
            (dict(zip(chosen, row, strict=True)) for row in found), key=lambda row: json.dumps(row, default=str)
        )

    def tables(self) -> dict[str, list[Mapping[str, Any]]]:
        """Return the rows of every table of the schema `web`."""
        found = self.query("SELECT table_name FROM svv_tables WHERE table_schema = 'web' ORDER BY 1")
        return {table: self.rows(table) for (table,) in found}

    def lengths(self, table: str) -> dict[str, int]:
        """Return the bytes that the VARCHARs of a table have."""
        chosen = f"{_of(table)} AND data_type = 'character varying'"
        return dict(self.query(f"SELECT column_name, character_maximum_length FROM svv_columns WHERE {chosen}"))

    def rejects(self) -> list[tuple[Any, ...]]:
        """Return row, column, reason and value of the rejects."""
        return sorted(
            self.query("SELECT row_id, column_name, reason, value FROM loader.rejects WHERE resolved_at IS NULL")
        )

    def left(self) -> list[tuple[Any, ...]]:
        """Return the staging tables that are still there."""
        return self.query("SELECT table_name FROM svv_tables WHERE table_schema = 'loader_staging'")


def _of(table: str) -> str:
    return f"table_schema = 'web' AND table_name = '{table}'"


def _plain(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
