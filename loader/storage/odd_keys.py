"""Objects whose keys obstore cannot name: an empty part, `.` or `..`, a control character, a `/` at the end.

One of them in a page, and obstore does not tell the page (github.com/developmentseed/obstore/issues/429). So such
pages are listed, and such objects are read, by another client: boto3, or requests with google-auth. Both are extras;
without them a listing that meets such a key is an error, for to leave the object out would lose events.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote
from xml.etree import ElementTree

from loader.config import Access
from loader.errors import ObjectChangedError, StorageError
from loader.storage import credentials, google
from loader.storage.refusals import ATTEMPTS, pause, refusal, shown

PAGE = 1000
_GONE = (404, 412)
_TIMEOUT_SECONDS = 60
_REPEATABLE = (408, 429, 500, 502, 503, 504)


class Object(NamedTuple):
    """An object of a page; `key` is that in the bucket."""

    key: str
    etag: str
    size: int
    modified_at: datetime


class OddKeys(Protocol):
    """A second client for a bucket."""

    def page(self, prefix: str, after: str) -> list[Object]:
        """Return the next objects whose key starts with `prefix` and sorts after `after`: PAGE, or all the rest."""

    def chunk(self, key: str, etag: str, span: tuple[int, int] | None) -> bytes:
        """Return these bytes of the object. ObjectChangedError where it is gone or has another etag."""


def second_client(url: str, bucket: str, access: Access | None) -> OddKeys:
    """Return the second client for a bucket. StorageError says what to install."""
    scheme = url.partition("://")[0]
    try:
        return _s3(bucket, access) if scheme == "s3" else _gcs(bucket, access)
    except ImportError as error:
        extra = "boto3" if scheme == "s3" else "gcs"
        raise StorageError(
            f"{url}: there are keys with an empty part, `.`, `..` or control characters, which need {error.name}; "
            f"pip install 'warehouse-loader[{extra}]', or rename these objects"
        ) from error


def _s3(bucket: str, access: Access | None) -> OddKeys:
    from boto3.session import Session
    from botocore.config import Config

    access = access or Access()
    keys = credentials.keys(access) if access.access_key_id else None
    style = {None: "auto", True: "path", False: "virtual"}[access.path_style]
    client = Session(profile_name=access.profile).client(
        "s3",
        endpoint_url=credentials.endpoint(access),
        region_name=access.region,
        aws_access_key_id=keys and keys["access_key_id"],
        aws_secret_access_key=keys and keys["secret_access_key"],
        aws_session_token=keys and keys["token"],
        config=Config(retries={"total_max_attempts": 10, "mode": "standard"}, s3={"addressing_style": style}),
    )
    return _S3(bucket, client)


@dataclass(frozen=True, slots=True)
class _S3:
    bucket: str
    client: Any = field(repr=False)

    def page(self, prefix: str, after: str) -> list[Object]:
        with self._translated(prefix):
            found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, StartAfter=after, MaxKeys=PAGE)
        return [
            Object(each["Key"], each["ETag"], each["Size"], each["LastModified"]) for each in found.get("Contents", ())
        ]

    def chunk(self, key: str, etag: str, span: tuple[int, int] | None) -> bytes:
        from botocore.exceptions import IncompleteReadError, ResponseStreamingError

        def read() -> bytes:
            body: bytes = self.client.get_object(Bucket=self.bucket, Key=key, IfMatch=etag, **ranged)["Body"].read()
            return body

        ranged = {} if span is None else {"Range": _range(span)}
        with self._translated(key):  # boto3 repeats what comes before a body
            return _repeated(read, IncompleteReadError, ResponseStreamingError)

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response["Error"].get("Code"))
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            raise _error(self._thing(key), status, f"<Code>{code}</Code>") from None
        except BotoCoreError as error:
            raise StorageError(f"{self._thing(key)}: {str(error).splitlines()[0]}") from None

    def _thing(self, key: str) -> str:
        return f"s3://{self.bucket}/{shown(key)}"


def _gcs(bucket: str, access: Access | None) -> OddKeys:
    import requests
    from google.auth.transport.requests import AuthorizedSession
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    authorized: Any = AuthorizedSession
    session = requests.Session() if google.anonymous(access) else authorized(google.credentials(access))
    repeated = Retry(10, backoff_factor=0.1, backoff_max=15, status_forcelist=_REPEATABLE, allowed_methods=["GET"])
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=repeated))
    return _GCS(f"gs://{bucket}", f"{google.endpoint(access)}/{bucket}", session)


@dataclass(frozen=True, slots=True)
class _GCS:
    url: str
    address: str
    session: Any = field(repr=False)

    def page(self, prefix: str, after: str) -> list[Object]:
        asked = {"list-type": "2", "encoding-type": "url", "prefix": prefix, "max-keys": str(PAGE)}
        text = self._got(self.address, prefix, {"params": {**asked, **({"start-after": after} if after else {})}})
        return [
            Object(unquote(each["Key"]), each["ETag"], int(each["Size"]), datetime.fromisoformat(each["LastModified"]))
            for each in _contents(ElementTree.fromstring(text))
        ]

    def chunk(self, key: str, etag: str, span: tuple[int, int] | None) -> bytes:
        headers = {"If-Match": etag, "Accept-Encoding": "gzip"} | ({} if span is None else {"Range": _range(span)})
        # An encoded `/`, or `a/../b` would become `b` on the way.
        return self._got(f"{self.address}/{quote(key, safe='')}", key, {"headers": headers})

    def _got(self, address: str, key: str, how: dict[str, Any]) -> bytes:
        from google.auth.exceptions import GoogleAuthError
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        def read() -> bytes:
            with self.session.get(address, stream=True, timeout=_TIMEOUT_SECONDS, **how) as answer:
                body: bytes = answer.raw.read(decode_content="params" in how)
                if answer.status_code >= 400:
                    raise _error(f"{self.url}/{shown(key)}", answer.status_code, body.decode(errors="replace"))
                return body

        try:
            return _repeated(read, HTTPError)  # requests repeats what comes before a body
        except (RequestException, HTTPError, GoogleAuthError) as error:
            raise StorageError(f"{self.url}/{shown(key)}: {type(error).__name__}") from None


def _repeated(call: Callable[[], bytes], *broken: type[Exception]) -> bytes:
    """Return what the call returns, made again where its answer broke off."""
    for failures in range(1, ATTEMPTS):
        try:
            return call()
        except broken:
            pause(failures)
    return call()


def _contents(listing: ElementTree.Element) -> Iterator[dict[str, str]]:
    """Yield the fields of each object of a listing, whatever its namespace."""
    for element in listing:
        if element.tag.endswith("Contents"):
            yield {each.tag.rpartition("}")[2]: each.text or "" for each in element}


def _range(span: tuple[int, int]) -> str:
    return f"bytes={span[0]}-{span[1] - 1}"


def _error(thing: str, status: int, text: str) -> StorageError:
    if "NoSuchBucket" not in text and status in _GONE:
        return ObjectChangedError(
            f"{thing} was rewritten or deleted since it was listed; run again to load what is there"
        )
    return refusal(thing, f"status {status}", f"{text} {'403 Forbidden' if status in (401, 403) else ''}")
