"""The settings of each kind of warehouse: one closed record per module of `loader.warehouses`, by its name.

Paths are made absolute by `load_config`: those of the fields in FILES.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from loader.config.access import Access
from loader.config.values import Duration, Size
from loader.core.settings import Record, Secret

IN_MEMORY = ":memory:"  # a DuckDB path
FILES = ("path", "credentials_file", "private_key_file", "root_certificate_file")

Port = Annotated[int, Meta(ge=1, le=65535)]
Threads = Annotated[int, Meta(ge=1, le=256)]


class DuckDB(Record, frozen=True, kw_only=True):
    """A file on this machine."""

    kind: Literal["duckdb"] = "duckdb"
    path: str = "warehouse.duckdb"
    threads: Annotated[int, Meta(ge=1)] | None = None  # None: one per core, 1 while several tables are merged
    memory: Size = Size(256 * 1024**2)  # bytes


class Postgres(Record, frozen=True, kw_only=True):
    """A PostgreSQL server. What is not set comes from PG* variables and ~/.pgpass, as libpq does it."""

    kind: Literal["postgres"] = "postgres"
    host: str | None = None  # a name, an address, or the folder of a socket
    port: Port | None = None
    database: str | None = None
    user: str | None = None
    password: Secret | None = None
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    root_certificate_file: str | None = None


class Redshift(Record, frozen=True, kw_only=True):
    """A provisioned cluster or a serverless workgroup. Without a password, AWS credentials give a temporary one."""

    kind: Literal["redshift"] = "redshift"
    host: str
    port: Port = 5439
    database: str
    user: str | None = None
    password: Secret | None = None
    cluster: str | None = None  # its identifier, to log in with AWS credentials
    workgroup: str | None = None  # the same of a serverless one
    region: str | None = None
    profile: str | None = None  # of ~/.aws/config
    iam_role: str | None = None  # that the cluster reads staging with: an ARN, or "default"
    access_key_id: Secret | None = None  # or keys for the same
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    driver: Literal["redshift_connector", "psycopg"] = "redshift_connector"
    sslmode: Literal["disable", "verify-ca", "verify-full"] = "verify-full"
    root_certificate_file: str | None = None  # for psycopg; None: the system's
    query_group: str = "loader"  # for WLM, and to find our queries by


class BigQuery(Record, frozen=True, kw_only=True):
    """A BigQuery project."""

    kind: Literal["bigquery"] = "bigquery"
    project: str
    location: str = "US"
    credentials_file: str | None = None  # of a service account; None: application default credentials
    threads: Threads = 8  # load jobs at once
    endpoint: str | None = None  # of a server for tests that speaks the same API, and knows nobody


class Snowflake(Record, frozen=True, kw_only=True):
    """A Snowflake database. One of password, private_key_file and oauth_token says who we are."""

    kind: Literal["snowflake"] = "snowflake"
    account: str  # ORGANISATION-ACCOUNT
    user: str
    database: str
    warehouse: str  # Snowflake's word for the machines that run statements
    role: str | None = None  # None: the user's own
    password: Secret | None = None
    private_key_file: str | None = None
    private_key_passphrase: Secret | None = None
    oauth_token: Secret | None = None
    stage: str | None = None  # an external stage, DATABASE.SCHEMA.NAME, whose url is that of [staging]; None: PUT
    query_tag: str = "loader"
    timeout: Duration = Duration(minutes=2)  # of a log-in
    attempts: Annotated[int, Meta(ge=1, le=20)] = 6  # at a request whose answer does not come
    endpoint: str | None = None  # of a private link
    threads: Threads = 4  # sessions at once


class Lake(Record, frozen=True, kw_only=True):
    """Parquet files, and no warehouse."""

    kind: Literal["lake"] = "lake"
    url: str = "lake"  # a folder made absolute by load_config, or a bucket
    access: Access | None = None
    threads: Annotated[int, Meta(ge=1)] | None = None  # None: one per core, 1 while several tables are merged
    memory: Size = Size(512 * 1024**2)  # bytes, of the merging


Warehouse = DuckDB | Postgres | Redshift | BigQuery | Snowflake | Lake
KINDS: Mapping[str, type[Warehouse]] = {
    "duckdb": DuckDB,
    "postgres": Postgres,
    "redshift": Redshift,
    "bigquery": BigQuery,
    "snowflake": Snowflake,
    "lake": Lake,
}
