"""obstore's clients for a bucket, and what has to be so before one is used."""

import os
from functools import cache

import obstore
from obstore.exceptions import PermissionDeniedError, UnauthenticatedError
from obstore.store import GCSStore, S3Store

from loader.config import Access
from loader.errors import StorageError
from loader.storage import credentials, google

Client = S3Store | GCSStore
_NOWHERE = "no such object"


def clients(scheme: str, bucket: str, access: Access | None) -> tuple[Client, Client]:
    """Return the client for all but reads, and that for reads."""
    if scheme == "s3":
        both = S3Store(bucket, **credentials.options(bucket, access))
        return both, both
    client, reader = (GCSStore(bucket, **google.options(access, packed=packed)) for packed in (False, True))
    return client, reader


def check_service(url: str, client: Client) -> None:
    """Raise StorageError if who answers is no such service: a page for people would look like an empty bucket."""
    try:
        found = obstore.head(client, _NOWHERE)
    except (FileNotFoundError, PermissionDeniedError, UnauthenticatedError):
        return
    if found["e_tag"] is None:
        raise StorageError(f"{url}: what answers is no object store; correct `endpoint` in `access` or the environment")


def check_process(url: str) -> None:
    """Raise StorageError in a forked process: obstore's threads are not there, and it would wait for ever."""
    if _first_process() != os.getpid():
        raise StorageError(f"{url}: this process was forked off one that had a bucket open; start workers by `spawn`")


@cache
def _first_process() -> int:
    return os.getpid()
