"""A folder as a store: every regular file under it, links followed, is an object.

A file whose name, or whose folder's name, starts with a dot is no object. What we write is first such a file, and
then renamed, so nobody ever sees half of it; one that a crash leaves behind may be removed by hand. A version is
modification time, size and inode, so it changes when a file is rewritten in place and when it is replaced.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from loader.core.objects import CHUNK_BYTES, File
from loader.errors import AccessError, CapacityError, ObjectChangedError, StorageError

_TEMPORARY = ".loader-"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS}
_ATTEMPTS = 100  # to write into a folder that others remove whenever it is empty

_Bytes = bytes | bytearray | memoryview
_Publish = Callable[[Path, Path], bool]  # from a temporary file to its key; whether it is there now
_Ancestors = tuple[tuple[int, int], ...]  # device and inode of each folder on the way down


@dataclass(frozen=True, slots=True)
class Folder:
    """The files under `root`, an absolute path. Holds nothing open."""

    root: Path

    @property
    def url(self) -> str:
        """The absolute path."""
        return str(self.root)

    def path(self, key: str) -> Path:
        """Return where the object is or would be. Raises StorageError for a key that leaves the folder or hides."""
        parts = key.split("/")
        if any(not part or part.startswith(".") or "\0" in part for part in parts):
            raise StorageError(f"{self.url}: key {key!r} is no path below it; no part may be empty or start with a dot")
        return self.root.joinpath(*parts)

    def prepare(self) -> None:
        """Make the folder, and those above it. Does nothing when it is there."""
        with translated(self.root):
            self.root.mkdir(parents=True, exist_ok=True)

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[File]:
        """Yield the files in key order. A file that vanishes while we look is left out; so is a dangling link.

        Raises StorageError when the folder itself is missing: an empty listing would hide a misspelt path.
        """
        with translated(self.root):
            if not self.root.is_dir():
                raise StorageError(f"folder {self.url} does not exist; create it, or correct the url in loader.toml")
            yield from _files(self.root, "", prefix, after, ())

    def read(self, file: File) -> Iterator[bytes]:
        """Yield the bytes; the version is compared on the open file, before the first chunk and after the last."""
        path = self.path(file.key)
        with translated(path), _opened(path) as descriptor:
            _same(path, descriptor, file)
            while chunk := os.read(descriptor, CHUNK_BYTES):
                yield chunk
            _same(path, descriptor, file)

    def write(self, key: str, data: _Bytes, *, lasting: bool = True) -> None:
        """Write a temporary file, sync it if it is to last, and rename it over the key."""
        self._place(key, data, _replace, lasting=lasting)

    def create(self, key: str, data: _Bytes) -> bool:
        """Write a temporary file, sync it and link it to the key, which fails where the key exists."""
        with translated(self.path(key)):
            if self.path(key).exists():
                return False
        return self._place(key, data, _link)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the files, and then the folders left empty, never the root."""
        emptied: set[Path] = set()
        for key in keys:
            path = self.path(key)
            with translated(path), suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                path.unlink()
            emptied.update(path.relative_to(self.root).parents[:-1])
        for folder in sorted(emptied, key=lambda path: len(path.parts), reverse=True):
            with suppress(OSError):  # not empty, or already gone
                (self.root / folder).rmdir()

    def _place(self, key: str, data: _Bytes, publish: _Publish, *, lasting: bool = True) -> bool:
        path = self.path(key)
        with translated(path):
            temporary, descriptor = _temporary(path.parent)
            try:
                with open(descriptor, "wb") as file:
                    file.write(data)
                    if lasting:
                        file.flush()
                        os.fsync(descriptor)
                placed = publish(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
            if lasting:
                _sync(path.parent)
        return placed


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise what the file system refuses within the block as our errors; `path` is named where it names none."""
    try:
        yield
    except PermissionError as error:
        raise AccessError(f"{_named(error, path)}: permission denied; allow it for this user") from error
    except OSError as error:
        if error.errno in _FULL:
            raise CapacityError(f"{path}: {error.strerror}; free some room, then run again") from error
        raise StorageError(f"{_named(error, path)}: {error.strerror or error}") from error


def _named(error: OSError, path: Path) -> object:
    name = str(error.filename2 or error.filename or "")
    return path if not name or _TEMPORARY in name else name


def _files(folder: Path, below: str, prefix: str, after: str, ancestors: _Ancestors) -> Iterator[File]:
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in ancestors:  # a link to a folder above
        return
    for key in _keys(folder, below):
        if not _wanted(key, prefix, after):
            continue
        path = folder / key[len(below) :].removesuffix("/")
        with _vanishing():
            if key.endswith("/"):
                yield from _files(path, key, prefix, after, (*ancestors, identity))
            elif stat.S_ISREG((status := path.stat()).st_mode):
                yield _file(key, status)


def _keys(folder: Path, below: str) -> list[str]:
    """Return the keys of one level in key order, those of folders with a `/`: `a.txt` sorts before `a/`."""
    with os.scandir(folder) as entries:
        return sorted(
            below + _name(folder, entry) + "/" * _is_folder(entry) for entry in entries if entry.name[0] != "."
        )


def _name(folder: Path, entry: os.DirEntry[str]) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in entry.name):
        raise StorageError(f"{folder}: the file name {os.fsencode(entry.name)!r} is not UTF-8; rename the file")
    return entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # DirEntry.is_dir raises for a link that points to itself.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _wanted(key: str, prefix: str, after: str) -> bool:
    """Whether the file, or anything that a folder may hold, is in the listing."""
    if key.endswith("/"):
        return (key.startswith(prefix) or prefix.startswith(key)) and (key > after or after.startswith(key))
    return key.startswith(prefix) and key > after


def _file(key: str, status: os.stat_result) -> File:
    version = f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
    return File(key, version, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ObjectChangedError(f"{path} was listed and is gone; run again to load what is there now") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _same(path: Path, descriptor: int, file: File) -> None:
    found = _file(file.key, os.fstat(descriptor)).version
    if found != file.version:
        raise ObjectChangedError(
            f"{path} was rewritten: version {file.version} was listed, {found} was found; run again to load that one"
        )


def _temporary(folder: Path, attempts: int = _ATTEMPTS) -> tuple[Path, int]:
    """Create a hidden file in the folder, which is made where missing; return it with an open descriptor."""
    path = folder / f"{_TEMPORARY}{uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except (FileNotFoundError, FileExistsError):  # another process found the folder empty, and removed it
        if attempts == 1:
            raise
        return _temporary(folder, attempts - 1)


def _replace(temporary: Path, path: Path) -> bool:
    temporary.replace(path)
    return True


def _link(temporary: Path, path: Path) -> bool:
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _NO_LINKS:
            raise StorageError(f"{path}: the file system has no hard links; choose a folder on another one") from error
        raise
    return True


def _sync(folder: Path) -> None:
    with suppress(FileNotFoundError):  # the object was deleted at once, and its folder with it
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _vanishing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            raise
