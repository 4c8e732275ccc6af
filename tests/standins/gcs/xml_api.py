"""The part of the XML API that S3-like clients use: cloud.google.com/storage/docs/xml-api/reference-methods."""

import base64
import hashlib
import re
import uuid
from urllib.parse import quote
from xml.sax.saxutils import escape

from standins.gcs.answers import Answer, Request, of_xml
from standins.gcs.bucket import PAGE, Buckets, Meta, RefusedError, Stored

_LEAST_PART_BYTES = 5 * 1024 * 1024
_CODES = {404: "NoSuchKey", 412: "PreconditionFailed", 400: "InvalidArgument", 401: "AuthenticationRequired"}
_uploads: dict[str, dict[int, bytes]] = {}  # parts by number, by secret id: no two servers share one


def refusal(error: RefusedError) -> Answer:
    """Return the error as this API writes it."""
    code = "NoSuchBucket" if "bucket does not exist" in str(error) else _CODES.get(error.status, "Error")
    return of_xml(f"<Error><Code>{code}</Code><Message>{escape(str(error))}</Message></Error>", error.status)


def answer(buckets: Buckets, request: Request) -> Answer:
    """Carry out a request."""
    bucket, _, name = request.path.removeprefix("/").partition("/")
    query = request.query
    match request.method:
        case "GET" if not name:
            return _listed(buckets, bucket, request)
        case "GET" | "HEAD":
            found = buckets.get(bucket, name, request.conditions, generation=query.get("generation"))
            return Answer(200, media=found)
        case "PUT" if "partNumber" in query:
            _parts(query["uploadId"])[int(query["partNumber"])] = request.body
            return Answer(200, headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})
        case "PUT":
            made = buckets.put(bucket, name, request.body, _meta(request), request.conditions)
            return Answer(200, headers=_written(made))
        case "POST" if "uploads" in query:
            buckets.there(bucket)
            _uploads[secret := uuid.uuid4().hex] = {}
            inner = f"<Bucket>{bucket}</Bucket><Key>{escape(name)}</Key><UploadId>{secret}</UploadId>"
            return of_xml(f"<InitiateMultipartUploadResult>{inner}</InitiateMultipartUploadResult>")
        case "POST" if "uploadId" in query:
            return _completed(buckets, bucket, name, request)
        case "DELETE" if "uploadId" in query:
            _uploads.pop(query["uploadId"], None)
            return Answer(204)
        case "DELETE":
            buckets.delete(bucket, name, request.conditions)
            return Answer(204)
    raise RefusedError(400, "invalid", f"no such call: {request.method} {request.path}")


def _listed(buckets: Buckets, bucket: str, request: Request) -> Answer:
    query = request.query
    if query.get("list-type") != "2":
        raise RefusedError(400, "invalid", "only list-type=2 is here")
    spelled = (lambda text: quote(text, safe="/")) if query.get("encoding-type") == "url" else _escaped
    page = buckets.page(
        bucket,
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        after=base64.b64decode(query.get("continuation-token", "")).decode() or query.get("start-after", ""),
        limit=int(query.get("max-keys", PAGE)),
    )
    token = "" if page.last is None else base64.b64encode(page.last.encode()).decode()
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    contents = "".join(_content(each, spelled(each.name)) for each in page.items)
    prefixes = "".join(f"<CommonPrefixes><Prefix>{spelled(each)}</Prefix></CommonPrefixes>" for each in page.prefixes)
    truncated = f"<IsTruncated>{str(bool(token)).lower()}</IsTruncated>"
    return of_xml(f"<ListBucketResult><Name>{bucket}</Name>{truncated}{more}{contents}{prefixes}</ListBucketResult>")


def _content(found: Stored, name: str) -> str:
    at = found.updated_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return (
        f"<Contents><Key>{name}</Key><Generation>{found.generation}</Generation><MetaGeneration>1</MetaGeneration>"
        f"<LastModified>{at}</LastModified><ETag>{escape(found.etag)}</ETag><Size>{len(found.data)}</Size></Contents>"
    )


def _escaped(text: str) -> str:
    """Return text as XML writes it; what XML 1.0 cannot hold as a reference, as S3 and others do."""
    return re.sub(r"[\x00-\x1f]", lambda found: f"&#{ord(found[0])};", escape(text))


def _completed(buckets: Buckets, bucket: str, name: str, request: Request) -> Answer:
    secret = request.query["uploadId"]
    parts = _parts(secret)
    numbers = [int(each) for each in re.findall(r"<PartNumber>(\d+)</PartNumber>", request.body.decode())]
    if not numbers or numbers != sorted(set(numbers)) or not set(numbers) <= parts.keys():
        raise RefusedError(400, "invalid", "the parts are not those that were uploaded, in order")
    if any(len(parts[number]) < _LEAST_PART_BYTES for number in numbers[:-1]):
        raise RefusedError(400, "invalid", "a part that is not the last must have 5 MiB")
    data = b"".join(parts[number] for number in numbers)
    made = buckets.put(bucket, name, data, _meta(request), request.conditions, composite=True)
    del _uploads[secret]
    inner = f"<Bucket>{bucket}</Bucket><Key>{escape(name)}</Key><ETag>{escape(made.etag)}</ETag>"
    done = of_xml(f"<CompleteMultipartUploadResult>{inner}</CompleteMultipartUploadResult>")
    return Answer(200, done.body, {**done.headers, **_written(made)})


def _parts(secret: str) -> dict[int, bytes]:
    if secret not in _uploads:
        raise RefusedError(404, "notFound", "The requested upload was not found.")
    return _uploads[secret]


def _meta(request: Request) -> Meta:
    return Meta(
        content_type=request.headers.get("content-type", "application/octet-stream"),
        content_encoding=request.headers.get("content-encoding"),
        cache_control=request.headers.get("cache-control"),
        md5=request.headers.get("content-md5"),
    )


def _written(made: Stored) -> dict[str, str]:
    return {"ETag": made.etag, "x-goog-generation": str(made.generation), "x-goog-metageneration": "1"}
