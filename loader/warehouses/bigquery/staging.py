"""Parts → staging tables, by one load job for each group of parts.

A job has an id made of what it loads, and an id is taken for good: so a load that was cut short finds its job again,
and one whose answer was lost does not load twice. Staging tables are in a dataset of their own, which lets them expire.
Load jobs are free, and count against 1,500 a day of a table: each load has tables of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from loader.core.types import ColumnType
from loader.core.warehouse import Site
from loader.errors import WarehouseError
from loader.warehouses.bigquery.dialect import DIALECT
from loader.warehouses.bigquery.faults import failed, translated
from loader.warehouses.bigquery.jobs import finished
from loader.warehouses.bigquery.parts import stored_names
from loader.warehouses.bigquery.patience import Patience
from loader.warehouses.bigquery.shelves import Shelf
from loader.warehouses.bigquery.sources import Source, discard, source

if TYPE_CHECKING:
    from google.cloud import bigquery

EXPIRY_MILLISECONDS = 24 * 3600 * 1000
_ATTEMPTS = 20  # ids that a load's job may have: each that failed, or whose table is gone, takes one
_LABEL = "loader_parts"  # the label that says what a job loads
_DATASET = DIALECT.staging_schema


@dataclass(frozen=True, slots=True)
class Stage:
    """The dataset of staging tables."""

    client: "bigquery.Client"
    site: Site
    labels: Mapping[str, str]
    patience: Patience

    def prepare(self) -> None:
        """Make the dataset unless it is there."""
        from google.cloud import bigquery

        dataset = bigquery.Dataset(f"{self.client.project}.{_DATASET}")
        dataset.default_table_expiration_ms = EXPIRY_MILLISECONDS
        dataset.location = self.client.location
        with translated(f"making the dataset {_DATASET}"):
            self.client.create_dataset(dataset, exists_ok=True, retry=self.patience.retry)

    def fill(self, shelf: Shelf) -> None:
        """Load a staging table; the objects that it was loaded from are gone then. Twice loads it once."""
        with translated(f"loading {_DATASET}.{shelf.table}"):
            if not self._is_there(shelf):
                with TemporaryDirectory(prefix="loader-") as scratch:
                    self._load(shelf, source(self.site, shelf, Path(scratch)))
        discard(self.site.staging, shelf)

    def _load(self, shelf: Shelf, found: Source) -> None:
        for attempt in range(_ATTEMPTS):
            problem = self._outcome(shelf, self._job(shelf, found, attempt), found.rows)
            if problem is None:
                return
            if not isinstance(problem, _GoneError):
                raise problem
        raise WarehouseError(
            f"BigQuery: {shelf.table}: {_ATTEMPTS} load jobs were used up; abandon the load, and run again"
        )

    def drop(self, tables: Sequence[str]) -> None:
        """Remove staging tables. Twice is fine."""
        with translated(f"dropping tables of {_DATASET}"):
            for table in tables:
                self.client.delete_table(f"{_DATASET}.{table}", not_found_ok=True, retry=self.patience.retry)

    def tables(self, load_id: str) -> list[str]:
        """Return the staging tables of a load."""
        from google.api_core.exceptions import NotFound

        with translated(f"listing the tables of {_DATASET}"):
            try:
                listed = list(self.client.list_tables(_DATASET, retry=self.patience.retry))
            except NotFound:
                return []
        return [each.table_id for each in listed if each.table_id.startswith(f"{load_id}_")]

    def _job(self, shelf: Shelf, found: Source, attempt: int) -> Any:
        """Return the job of an attempt: a new one, or the one that has its id, if that is the same."""
        from google.api_core.exceptions import Conflict

        job_id = f"loader_{shelf.fingerprint}_{attempt}"
        config = self._config(shelf)
        destination = f"{self.client.project}.{_DATASET}.{shelf.table}"
        try:
            if found.file is None:
                return self.client.load_table_from_uri(
                    found.uris, destination, job_id=job_id, job_config=config, retry=self.patience.retry
                )
            upload = partial(self._uploaded, found.file, destination, job_id=job_id, job_config=config)
            return self.patience.retry(upload)()
        except Conflict:
            job: Any = self.client.get_job(job_id, retry=self.patience.retry)
        wanted = (self.client.project, _DATASET, shelf.table, config.labels[_LABEL])
        ours = getattr(job, "destination", None)
        known = (ours.project, ours.dataset_id, ours.table_id, job.labels.get(_LABEL)) if ours else None
        if known != wanted:
            raise WarehouseError(f"BigQuery: job {job_id} is none of this load's: its id is taken; abandon the load")
        return job

    def _uploaded(self, file: Path, destination: str, **how: Any) -> Any:
        """Send a file and its job; tried again as a whole, since the client's tries of its own sleep up to a minute."""
        with file.open("rb") as content:
            return self.client.load_table_from_file(
                content, destination, size=file.stat().st_size, num_retries=0, **how
            )

    def _config(self, shelf: Shelf) -> "bigquery.LoadJobConfig":
        from google.cloud import bigquery

        names = stored_names(shelf.columns)
        fields = [bigquery.SchemaField(names[name], _type(kind)) for name, kind in shelf.columns.items()]
        return bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            schema=fields,
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            create_disposition=bigquery.CreateDisposition.CREATE_IF_NEEDED,
            labels={**self.labels, _LABEL: shelf.fingerprint},
        )

    def _outcome(self, shelf: Shelf, job: Any, rows: int) -> Exception | None:
        """Wait for a job; return what is wrong with it, `_GoneError` where another attempt is due."""
        from google.api_core.exceptions import NotFound

        adopted = job.state == "DONE"
        finished(job, self.patience)
        if job.error_result:
            return _GoneError() if adopted else failed(f"loading {_DATASET}.{shelf.table}", job.error_result)
        if adopted:  # of an earlier run: its table may be dropped or expired since
            try:
                self.client.get_table(f"{_DATASET}.{shelf.table}", retry=self.patience.retry)
            except NotFound:
                return _GoneError()
        if job.output_rows != rows:
            return WarehouseError(f"BigQuery: {shelf.table}: {job.output_rows} of {rows} rows were loaded; run again")
        return None

    def _is_there(self, shelf: Shelf) -> bool:
        """Return whether a job of an earlier try has filled the table: then its parts need not be read again."""
        from google.api_core.exceptions import NotFound

        try:
            table = self.client.get_table(f"{_DATASET}.{shelf.table}", retry=self.patience.retry)
            job: Any = self.client.get_job(f"loader_{shelf.fingerprint}_0", retry=self.patience.retry)
        except NotFound:
            return False
        whole = job.state == "DONE" and not job.error_result and job.output_rows == table.num_rows
        return bool(whole and job.labels.get(_LABEL) == shelf.fingerprint)


class _GoneError(Exception):
    """A job with this id has ended, and its table is not there."""


def _type(kind: ColumnType) -> str:
    return DIALECT.types[ColumnType.STRING if kind is ColumnType.JSON else kind]
