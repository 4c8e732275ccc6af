"""BigQuery: parts become staging tables by load jobs, which are free, and rows by a transaction per batch of tables.

Tables are partitioned by the day of `received_at` and clustered by `id`, so that looking for duplicates reads the keys
of a few days: their bounds are constants. The client is google-cloud-bigquery, an extra.

A replay is merged as any load is, and no partition is replaced by it (WRITE_TRUNCATE on `table$day`), though that is
free: a load job is in no transaction, so the ledger could say what the table does not; and a day of `received_at` is
not what a load has. Its other rows come from other loads, whose files may be gone, and of a repeated id the row that
was there first has to stay, on whichever day that is.
"""

import importlib.util
from typing import TYPE_CHECKING

from loader.config.warehouses import BigQuery as Settings
from loader.core.warehouse import Site
from loader.errors import ConfigError
from loader.warehouses.bigquery.dialect import DIALECT
from loader.warehouses.bigquery.faults import translated
from loader.warehouses.bigquery.processes import labels
from loader.warehouses.bigquery.warehouse import BigQuery

if TYPE_CHECKING:
    from google.cloud import bigquery

__all__ = ["DIALECT", "connect"]


def connect(settings: Settings, site: Site) -> BigQuery:
    """Open a project. ConfigError says what to install."""
    if importlib.util.find_spec("google") is None or importlib.util.find_spec("google.cloud.bigquery") is None:
        raise ConfigError("BigQuery needs google-cloud-bigquery: pip install 'warehouse-loader[bigquery]'")
    with translated("connecting"):
        return BigQuery(_client(settings), site, labels(), settings.threads)


def _client(settings: Settings) -> "bigquery.Client":
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery
    from google.oauth2.service_account import Credentials

    project, location = settings.project, settings.location
    if settings.endpoint:  # a server for tests, which knows nobody
        nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]  # google-auth has no types there
        options = {"api_endpoint": settings.endpoint}
        return bigquery.Client(project, credentials=nobody, location=location, client_options=options)
    if not settings.credentials_file:
        return bigquery.Client(project, location=location)
    try:
        key = Credentials.from_service_account_file(settings.credentials_file)  # type: ignore[no-untyped-call]  # as above
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"[warehouse] credentials_file: {settings.credentials_file} is no key of a service account "
            f"({type(error).__name__})"
        ) from error
    return bigquery.Client(project, credentials=key, location=location)
