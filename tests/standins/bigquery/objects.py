"""Objects in Cloud Storage, as load jobs read them: over HTTP, from the server whose endpoint is given.

Sources: cloud.google.com/bigquery/docs/reference/rest/v2/Job (`sourceUris`: one `*` each, behind the bucket's name),
/batch-loading-data and /loading-data-cloud-storage-parquet (a bucket is where the dataset is, or in a region of that
multi-region; no generations; slashes in a row become one), /quotas#load_jobs (10,000 URIs); read 2026-11. Messages:
github.com/GoogleCloudPlatform/DataflowPythonSDK issue 44 (locations), googleapis/google-cloud-node issue 1177 (`URI`).
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import urlopen

from standins.bigquery.answers import refused

MAX_URIS = 10_000
_REGIONS = {"US": "us-", "EU": "europe-"}  # how the regions of a multi-region begin


def objects(uris: list[str], storage: str | None, location: str) -> Iterator[bytes]:
    """Yield what each object holds; a wildcard stands for several, in the order of their names."""
    if not uris:
        raise refused("Load configuration must specify at least one source URI")
    if len(uris) > MAX_URIS:
        raise refused(f"Too many source URIs: {len(uris)}; at most {MAX_URIS} are allowed")
    known: set[str] = set()
    for uri in uris:
        bucket, key = _parts(uri)
        if storage is None:
            raise refused(f"Not found: URI {uri}", reason="notFound")
        if bucket not in known:
            _check_location(storage, bucket, uri, location)
            known.add(bucket)
        for each in _matching(storage, bucket, key, uri):
            yield _fetched(f"{storage}/storage/v1/b/{bucket}/o/{quote(each, safe='')}?alt=media", uri)


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("gs://").partition("/")
    if not uri.startswith("gs://") or not key:
        raise refused(f"Source URI must be a Google Cloud Storage location: {uri}")
    if "*" in bucket or key.count("*") > 1 or re.search(r"#\d*$", key):
        raise refused(f"Invalid source URI: {uri}")
    return bucket, re.sub("/+", "/", key)


def _check_location(storage: str, bucket: str, uri: str, wanted: str) -> None:
    found = str(_resource(f"{storage}/storage/v1/b/{bucket}", uri)["location"])
    inside = found.lower().startswith(_REGIONS.get(wanted.upper(), "\n"))
    if found.upper() != wanted.upper() and not inside:
        raise refused(f"Cannot read and write in different locations: source: {found}, destination: {wanted}")


def _matching(storage: str, bucket: str, key: str, uri: str) -> list[str]:
    prefix, star, suffix = key.partition("*")
    if not star:
        return [key]
    names: list[str] = []
    token: str | None = ""
    while token is not None:
        page = {"prefix": prefix, **({"pageToken": token} if token else {})}
        listing = _resource(f"{storage}/storage/v1/b/{bucket}/o?{urlencode(page)}", uri)
        names += [each["name"] for each in listing.get("items", ())]
        token = listing.get("nextPageToken")
    found = [each for each in names if each.endswith(suffix) and len(each) >= len(prefix) + len(suffix)]
    if not found:
        raise refused(f"Not found: URI {uri}", reason="notFound")
    return found


def _resource(url: str, uri: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_fetched(url, uri))
    return found


def _fetched(url: str, uri: str) -> bytes:
    try:
        with urlopen(url, timeout=30) as answer:
            found: bytes = answer.read()
            return found
    except HTTPError as error:
        error.close()
        if error.code in (401, 403):
            raise refused(f"Access Denied: File {uri}: Access Denied", reason="accessDenied") from error
        raise refused(f"Not found: URI {uri}", reason="notFound") from error
