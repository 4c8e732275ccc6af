"""Which files of a lake are live, and how a commit changes that.

A catalogue is an object that is written once, the next one on the condition that nobody was faster. It names every
table's columns, and an object with the table's files, which is written anew only when that table changes. The newest
catalogues stay, so that who just listed them can read them.
"""

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from uuid import uuid4

import msgspec

from loader.core.objects import load_bytes
from loader.errors import StorageError, WarehouseBusyError, WarehouseError
from loader.warehouses.lake.files import Files

_FOLDER = "_loader/catalogue/"
_KEPT = 20  # catalogues
_GRACE_SECONDS = 60.0  # that files of the ledger stay after they were replaced, for those who read them
_TRIES = 30


class File(msgspec.Struct, frozen=True):
    """A live Parquet file."""

    key: str
    rows: int
    size: int  # bytes
    day: str = ""  # of `received_at`, where the table is partitioned


class Table(msgspec.Struct, frozen=True):
    """A table: its columns' types in order, and the object that lists its files; none while it has no rows."""

    columns: dict[str, str]
    files: str | None = None


class Catalogue(msgspec.Struct, frozen=True):
    """The lake at one moment. `dropped` are files that are not live any more, with when they were left."""

    version: int = 0
    tables: dict[str, Table] = {}
    views: dict[str, str] = {}
    dropped: list[tuple[str, float]] = []


@dataclass(frozen=True, slots=True)
class Change:
    """What a session did to a table: as it found it, and what it leaves."""

    name: str
    before: Table | None
    files: Sequence[File]  # before
    columns: dict[str, str] | None  # None: the table is gone
    added: list[File]
    removed: frozenset[str]  # keys
    whole: bool = False  # all that was there is replaced, so nothing may have come meanwhile


Guard = Callable[[Catalogue], None]  # raises WarehouseBusyError where the session has read what is not so any more
# What becomes of a table that was replaced as a whole while others changed it too, or WarehouseBusyError.
Reconcile = Callable[[Change, Sequence[File]], Change]


class Catalogues:
    """The catalogues of a lake. Of the threads of this process one commits at a time."""

    def __init__(self, files: Files, *, read_only: bool) -> None:
        self.files, self._read_only, self._lock = files, read_only, Lock()

    def newest(self) -> Catalogue:
        """Return the lake as it is; an empty one where there is none."""
        if self.files.missing():
            return Catalogue()
        for _ in range(_TRIES):
            keys = [file.key for file in self.files.store.list(_FOLDER)]
            if not keys:
                return Catalogue()
            if (data := load_bytes(self.files.store, keys[-1])) is not None:
                return msgspec.json.decode(data, type=Catalogue)
        raise WarehouseBusyError(f"{self.files.store.url}: the catalogue changes too fast to be read", "transient")

    def listed(self, table: Table | None) -> list[File]:
        """Return a table's live files, by day and key."""
        if table is None or table.files is None:
            return []
        data = load_bytes(self.files.store, table.files)
        if data is None:
            raise WarehouseBusyError(f"{self.files.store.url}/{table.files} was replaced meanwhile", "transient")
        return msgspec.json.decode(data, type=list[File])

    def commit(self, changes: Sequence[Change], views: Mapping[str, str], guard: Guard, reconcile: Reconcile) -> None:
        """Write the next catalogue with these changes, all or none. WarehouseBusyError where others were faster.

        If the answer of the service is lost for good, who asks again finds in the ledger whether it was done.
        """
        if self._read_only:
            raise WarehouseError(f"{self.files.store.url} was opened read-only")
        with self._lock:
            for _ in range(_TRIES):
                newest = self.newest()
                guard(newest)
                found = self._with(newest, changes, views, reconcile)
                if self.files.store.create(_key(found.version), msgspec.json.encode(found)):
                    self._clean(newest, found, {file.key for change in changes for file in change.added})
                    return
                self.files.store.delete(sorted(_lists(found) - _lists(newest)))  # in no catalogue
                time.sleep(random.uniform(0.01, 0.1))
        raise WarehouseBusyError(f"{self.files.store.url}: others commit all the time; run again", "transient")

    def intend(self, keys: Sequence[str], seconds: float) -> None:
        """Note files that are about to be written. Unless a commit makes them live, they are deleted after that time.

        So whoever dies over them leaves nothing for good.
        """
        until = time.time() + seconds
        with self._lock:
            for _ in range(_TRIES):
                newest, now = self.newest(), time.time()
                kept = [(key, at) for key, at in newest.dropped if _stays(key, at, now) and key not in keys]
                noted = [*kept, *((key, until) for key in keys)]
                found = Catalogue(newest.version + 1, newest.tables, newest.views, noted)
                if self.files.store.create(_key(found.version), msgspec.json.encode(found)):
                    self._clean(newest, found, set(keys))
                    return
                time.sleep(random.uniform(0.01, 0.1))
        raise WarehouseBusyError(f"{self.files.store.url}: others commit all the time; run again", "transient")

    def sweep(self) -> None:
        """Delete what the newest catalogue says is live no more, should the one who wrote it have died over that."""
        newest = self.newest()
        if newest.dropped:
            self._clean(newest, newest, ())

    def check_intended(self, newest: Catalogue, name: str, keys: Sequence[str], margin: float) -> None:
        """Raise WarehouseBusyError if files that were noted may be deleted by now, or within the margin (seconds)."""
        sure = {key for key, at in newest.dropped if at > time.time() + margin}
        if set(keys) - sure:
            raise overtaken(name)

    def _with(
        self, newest: Catalogue, changes: Sequence[Change], views: Mapping[str, str], reconcile: Reconcile
    ) -> Catalogue:
        """Return the catalogue after `newest` with the changes; writes the lists of files that it names."""
        tables, now = dict(newest.tables), time.time()
        live_now = {file.key for change in changes for file in change.added}
        dropped = [(key, at) for key, at in newest.dropped if _stays(key, at, now) and key not in live_now]
        for change in changes:
            theirs = newest.tables.get(change.name)
            files = self.listed(theirs)
            made = reconcile(change, files) if change.whole and theirs != change.before else change
            if made.removed - {file.key for file in files}:
                raise overtaken(change.name)
            dropped += [(key, now) for key in sorted(made.removed)]
            if made.columns is None:
                tables.pop(change.name, None)
                continue
            live = [*(file for file in files if file.key not in made.removed), *made.added]
            kept = theirs.files if theirs and live == files else None
            if theirs and theirs.files and not kept:
                dropped.append((theirs.files, now))
            tables[change.name] = Table(_columns(made, theirs), kept or self._store(change.name, live))
        return Catalogue(newest.version + 1, tables, {**newest.views, **views}, dropped)

    def _store(self, name: str, live: list[File]) -> str | None:
        if not live:
            return None
        key = f"_loader/files/{name}/{uuid4().hex}.json"
        self.files.store.write(key, msgspec.json.encode(sorted(live, key=lambda file: (file.day, file.key))))
        return key

    def _clean(self, old: Catalogue, new: Catalogue, but: Collection[str]) -> None:
        """Delete what is live no more; what was left just now is left to the next commit too, should this one die."""
        now = time.time()
        keys = [key for key, at in (*old.dropped, *new.dropped) if not _stays(key, at, now) and key not in but]
        try:
            self.files.store.delete([*keys, *([_key(new.version - _KEPT)] if new.version > _KEPT else [])])
        except StorageError:
            return  # it is on the list of the next commit


def _key(version: int) -> str:
    return f"{_FOLDER}{version:012}.json"


def _lists(catalogue: Catalogue) -> set[str]:
    """Return the keys of the lists of files that a catalogue names."""
    return {table.files for table in catalogue.tables.values() if table.files}


def _stays(key: str, at: float, now: float) -> bool:
    """Whether a file that is live no more is kept for those who read it: the ledger's are replaced all the time.

    Those of events go at once: whoever reads a folder of them with `*` must not see a row twice. A time that is to come
    is that of a file that is being written.
    """
    return at > now or (key.startswith(("loader/", "_loader/")) and now - at <= _GRACE_SECONDS)


def _columns(change: Change, theirs: Table | None) -> dict[str, str]:
    """Return the table's columns after the change. WarehouseBusyError where others gave it other columns meanwhile."""
    assert change.columns is not None
    before = change.before.columns if change.before else {}
    if theirs is None or theirs.columns == before or theirs.columns == change.columns:
        return change.columns
    if change.columns == before:
        return theirs.columns
    raise overtaken(change.name)


def overtaken(name: str) -> WarehouseBusyError:
    """Return the error for a table that others changed meanwhile."""
    return WarehouseBusyError(f"{name} was changed by another session meanwhile; run again", "transient")
