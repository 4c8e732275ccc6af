"""The lake's Parquet files and DuckDB: from objects to paths that it can read, and from what it wrote to objects."""

import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import duckdb

from loader.core.dialect import Dialect, quoted
from loader.core.objects import Store, find
from loader.core.types import ColumnType
from loader.errors import CapacityError, WarehouseBusyError, WarehouseError

_REQUESTS = 16  # at once


class Files:
    """The objects of a lake. Those of a bucket are copied to this machine when they are read, once."""

    def __init__(self, store: Store, scratch: "TemporaryDirectory[str]") -> None:
        self.store, self._scratch = store, scratch

    def missing(self) -> bool:
        """Whether it is a folder that is not there."""
        return "://" not in self.store.url and not Path(self.store.url).is_dir()

    def paths(self, keys: Sequence[str]) -> list[str]:
        """Return paths with the bytes of the objects, in order. WarehouseBusyError if one is gone."""
        if "://" not in self.store.url:
            return [f"{self.store.url}/{key}" for key in keys]
        with ThreadPoolExecutor(_REQUESTS) as pool:
            return list(pool.map(self._copy, keys))

    def temporary(self) -> Path:
        """Return a path for a file that DuckDB is to write."""
        return Path(self._scratch.name) / uuid4().hex

    def add(self, files: Sequence[tuple[Path, str]]) -> None:
        """Put files of this machine there under their keys, and remove them here."""
        with ThreadPoolExecutor(_REQUESTS) as pool:
            list(pool.map(self._put, files))

    def forget(self, keys: Sequence[str]) -> None:
        """Remove the copies of some objects. Twice is fine."""
        for key in keys:
            self._place(key).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the copies. Twice is fine."""
        self._scratch.cleanup()

    def _copy(self, key: str) -> str:
        # A key is written once, so a copy stays right as long as it is needed.
        path = self._place(key)
        if not path.exists():
            file = find(self.store, key)
            if file is None:
                raise WarehouseBusyError(f"{self.store.url}/{key} was replaced meanwhile; run again", "transient")
            temporary = self.temporary()
            with temporary.open("wb") as copy:
                copy.writelines(self.store.read(file))
            temporary.replace(path)
        return str(path)

    def _place(self, key: str) -> Path:
        return Path(self._scratch.name) / f"{sha256(key.encode()).hexdigest()[:32]}.parquet"

    def _put(self, file: tuple[Path, str]) -> None:
        path, key = file
        with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            view = memoryview(content)
            try:
                self.store.write(key, view)
            finally:
                view.release()
        os.unlink(path)


def rows_of(dialect: Dialect, columns: Mapping[str, str], paths: Sequence[str], place: str | None) -> str:
    """Return the query for the rows of files, and of a table of new rows, with these columns (name → type) in order."""
    empty = ", ".join(
        f"CAST(NULL AS {dialect.types[ColumnType(kind)]}) AS {quoted(dialect, name)}" for name, kind in columns.items()
    )
    sources = [f"SELECT {empty} WHERE false" if place is None else f"SELECT * FROM {place}"]
    if paths:
        sources.append(f"SELECT * FROM {listed(paths)}")
    names = ", ".join(
        f"CAST({quoted(dialect, name)} AS {dialect.types[ColumnType(kind)]}) AS {quoted(dialect, name)}"
        for name, kind in columns.items()
    )
    return f"SELECT {names} FROM ({' UNION ALL BY NAME '.join(sources)}) AS t"


def listed(paths: Sequence[str]) -> str:
    """Return the relation that reads Parquet files together; columns that a file lacks are null in it."""
    names = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise DuckDB's errors as ours, by what the caller can do about them; never with a value of somebody's."""
    try:
        yield
    except duckdb.IOException as error:
        text = _short(error)
        if "No space left" in text or "Disk quota" in text:
            raise CapacityError(f"{what}: no space left on the disk; free some, then run again") from error
        if "No files found" in text or "No such file" in text or "Cannot open file" in text:
            raise WarehouseBusyError(
                f"{what}: a file was replaced meanwhile; run again: {text}", "transient"
            ) from error
        raise WarehouseError(f"{what}: {text}") from error
    except duckdb.OutOfMemoryException as error:
        raise CapacityError(
            f"DuckDB ran out of memory; raise `memory` in [warehouse], or lower `threads` ({_short(error)})"
        ) from error
    except duckdb.ConversionException:  # its text quotes the value
        raise WarehouseError(f"DuckDB could not convert a value: {what}", "data") from None
    except duckdb.Error as error:
        raise WarehouseError(f"DuckDB refused: {what}: {_short(error)}") from error


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:300]
