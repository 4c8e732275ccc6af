"""Objects in a folder, s3:// or gs:// bucket: list, read, write. The kind of store is told by the url."""

import os
from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from uuid import uuid4

from loader.config import Access
from loader.core.objects import Store, find
from loader.errors import ConfigError, ObjectChangedError
from loader.storage.bucket import Bucket
from loader.storage.folder import Folder, translated


def connect(url: str, *, access: Access | None = None, base: Path) -> Store:
    """Return the store at `url`; a folder that is not absolute is one below `base`. Makes no request.

    Raises ConfigError for a kind of url we do not know, and for access settings that cannot be used here.
    """
    match urlsplit(url).scheme:
        case "":
            if access is not None:
                raise ConfigError(f"{url!r} is a folder, so `access` means nothing; remove it, or use a bucket's url")
            return Folder(Path(os.path.abspath(base / Path(url).expanduser())))
        case "s3" | "gs":
            return Bucket.open(url, access)
        case scheme:
            raise ConfigError(f"{url!r}: {scheme}: is no kind of store; use a folder, s3:// or gs://")


def prepare(store: Store) -> None:
    """Make a store that we own ready to be listed and written: a missing folder is made. Twice is the same as once.

    A bucket is never made. Not for sources: there, a missing folder is a misspelt path.
    """
    if isinstance(store, Folder):
        store.prepare()


def local(store: Store, key: str, scratch: Path) -> Path:
    """Return a path with the bytes of the object: itself in a folder, else a copy in `scratch`, an existing folder.

    Called twice, also at once, it returns the same copy while the object is the same. Raises ObjectChangedError when
    there is no such object.
    """
    if isinstance(store, Folder):
        path = store.path(key)
        if not path.is_file():
            raise ObjectChangedError(f"{path} is gone")
        return path
    return _copy(store, key, scratch)


def _copy(store: Store, key: str, scratch: Path) -> Path:
    file = find(store, key)
    if file is None:
        raise ObjectChangedError(f"{store.url}/{key} is gone")
    name = sha256(f"{store.url}/{key}\0{file.version}".encode()).hexdigest()[:32] + PurePosixPath(key).suffix
    path, temporary = scratch / name, scratch / f".{uuid4().hex}"  # another thread may be copying it too
    if path.exists():
        return path
    with translated(temporary), temporary.open("wb") as copy:
        copy.writelines(store.read(file))
    with translated(temporary):
        return temporary.replace(path)
