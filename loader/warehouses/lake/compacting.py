"""Many small files of a day become one: fewer to open for whoever reads a year.

The names of new files are noted in the catalogue before they are written (`Catalogues.intend`), and the commit that
makes them live takes the small ones out. Killed in between, what was written is on that note, and the first commit
after `RESERVED_SECONDS` deletes it. Loads go on meanwhile; of a load and a compaction that take the same files, the
later one begins anew.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import duckdb

from loader.core.dialect import Dialect, literal
from loader.core.warehouse import Compacted
from loader.errors import WarehouseBusyError
from loader.warehouses.lake.catalogue import Catalogues, Change, File, Table, overtaken
from loader.warehouses.lake.files import rows_of, translated
from loader.warehouses.lake.writing import SMALL_BYTES

TARGET_BYTES = 256 << 20  # of the files that become one, and of those of one commit, at most
RESERVED_SECONDS = 1200.0  # in which new files must be live; to merge and send TARGET_BYTES takes minutes
_MARGIN_SECONDS = 300.0  # that clocks may differ


class Compactor:
    """Compacts a lake table by table."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalogues: Catalogues, dialect: Dialect) -> None:
        self._connection, self._catalogues, self._dialect = connection, catalogues, dialect

    def run(self) -> Iterator[Compacted]:
        """Yield what was done with each table that had something to do. Twice does nothing the second time."""
        self._catalogues.sweep()
        for name in sorted(self._catalogues.newest().tables):
            if found := list(self._table(name)):
                before, after, stored = (sum(each) for each in zip(*found, strict=True))
                yield Compacted(name, before, after, stored)

    def _table(self, name: str) -> Iterator[tuple[int, int, int]]:
        """Compact one table, in commits of some days; yield files before and after, and the bytes of the latter.

        A day stays as it is where others changed its files meanwhile.
        """
        table = self._catalogues.newest().tables.get(name)
        files = self._catalogues.listed(table)
        for batch in _batches(_groups(files)):
            if table is not None:
                yield self._batch(name, table, files, {_key(name, group[0].day): group for group in batch})

    def _batch(
        self, name: str, table: Table, files: Sequence[File], groups: Mapping[str, Sequence[File]]
    ) -> tuple[int, int, int]:
        store, small = self._catalogues.files, [file.key for group in groups.values() for file in group]
        self._catalogues.intend(list(groups), RESERVED_SECONDS)
        added: list[File] = []
        try:
            merged = [self._merged(table, key, group) for key, group in groups.items()]
            # Together and late: whoever reads the folder with `*` sees these rows twice until the small files are gone.
            store.add([(path, file.key) for path, file in merged])
            added = [file for _, file in merged]
            change = Change(name, table, files, dict(table.columns), added, frozenset(small))
            self._catalogues.commit(
                [change],
                {},
                lambda newest: self._catalogues.check_intended(newest, name, list(groups), _MARGIN_SECONDS),
                _never,
            )
        except WarehouseBusyError:
            # An answer that was lost looks like this too: what is live is no rest of ours.
            live = {file.key for file in self._catalogues.listed(self._catalogues.newest().tables.get(name))}
            if live.isdisjoint(groups):
                store.store.delete(list(groups))
                return len(small), len(small), 0
            added = [file for file in added if file.key in live]
        finally:
            store.forget(small)
        return len(small), len(added), sum(file.size for file in added)

    def _merged(self, table: Table, key: str, group: Sequence[File]) -> tuple[Path, File]:
        """Write one file on this machine with the rows of several, sorted as a load sorts them."""
        files = self._catalogues.files
        rows = rows_of(self._dialect, table.columns, files.paths([file.key for file in group]), None)
        path = files.temporary()
        with translated(f"merging {len(group)} files into {key}"):
            found = self._connection.cursor().execute(
                f"COPY (SELECT * FROM ({rows}) ORDER BY received_at, id) "
                f"TO {literal(self._dialect, str(path))} (FORMAT parquet, COMPRESSION zstd)"
            )
            [(count,)] = found.fetchall()
        return path, File(key, count, path.stat().st_size, group[0].day)


def _batches(groups: Iterable[list[File]]) -> Iterator[list[list[File]]]:
    """Yield groups together that are TARGET_BYTES, or a single one that is more."""
    batch: list[list[File]] = []
    for group in groups:
        if batch and sum(file.size for each in (*batch, group) for file in each) > TARGET_BYTES:
            yield batch
            batch = []
        batch.append(group)
    if batch:
        yield batch


def _groups(files: Sequence[File]) -> Iterator[list[File]]:
    """Yield the small files of each day in groups that are worth merging, and not too large."""
    days: dict[str, list[File]] = {}
    for file in files:
        if file.day and file.size < SMALL_BYTES:
            days.setdefault(file.day, []).append(file)
    for small in days.values():
        group: list[File] = []
        for file in small:
            if group and sum(each.size for each in group) + file.size > TARGET_BYTES:
                if len(group) > 1:
                    yield group
                group = []
            group.append(file)
        if len(group) > 1:
            yield group


def _key(name: str, day: str) -> str:
    """Return the key of a new file: one of its own, even if another compaction takes the same files."""
    return f"{name.replace('.', '/', 1)}/day={day}/compacted-{uuid4().hex}.parquet"


def _never(change: Change, theirs: Sequence[File]) -> Change:
    raise overtaken(f"{change.name} ({len(theirs)} files)")
