"""The JSON API of the Cloud Storage stand-in: cloud.google.com/storage/docs/json_api/v1."""

import base64
import json
import re
import uuid
from dataclasses import dataclass, replace
from email import message_from_bytes
from typing import Any
from urllib.parse import quote, unquote

from standins.gcs.answers import Answer, Request, of_json
from standins.gcs.bucket import NONE, PAGE, Buckets, Conditions, Meta, RefusedError, Stored

__all__ = ["NONE", "answer", "refusal"]
_QUANTUM = 256 * 1024


@dataclass(slots=True)
class _Upload:
    bucket: str
    name: str
    meta: Meta
    conditions: Conditions
    data: bytes = b""


_uploads: dict[str, _Upload] = {}  # by secret id: no two servers share one


def refusal(error: RefusedError) -> Answer:
    """Return the error as this API writes it."""
    listed = [{"message": str(error), "domain": "global", "reason": error.reason}]
    return of_json({"error": {"code": error.status, "message": str(error), "errors": listed}}, error.status)


def answer(buckets: Buckets, request: Request) -> Answer:
    """Carry out a request."""
    kind, _, rest = request.raw_path.partition("/storage/v1/")
    parts = [unquote(each) for each in rest.split("/")]
    if "upload" in kind:
        return _uploaded(buckets, request, parts[1])
    match request.method, parts:
        case "POST", ["b"]:
            name = json.loads(request.body)["name"]
            buckets.create(name)
            return of_json(_bucket(name, buckets.location))
        case "GET", ["b", bucket]:
            buckets.there(bucket)
            return of_json(_bucket(bucket, buckets.location))
        case "GET", ["b", bucket, "o"]:
            return _listed(buckets, bucket, request)
        case _, ["b", bucket, "o", name, *more]:
            return _object(buckets, request, bucket, name, more)
    raise RefusedError(404, "notFound", f"no such call: {request.method} {request.path}")


def _object(buckets: Buckets, request: Request, bucket: str, name: str, more: list[str]) -> Answer:
    match request.method, more:
        case "GET", []:
            found = buckets.get(bucket, name, request.conditions, generation=request.query.get("generation"))
            return (
                Answer(200, media=found) if request.query.get("alt") == "media" else _resource(request, found, bucket)
            )
        case "DELETE", []:
            buckets.delete(bucket, name, request.conditions)
            return Answer(204)
        case "POST", ["compose"]:
            asked = json.loads(request.body)
            sources = [each["name"] for each in asked["sourceObjects"]]
            made = buckets.compose(bucket, name, sources, _meta(asked.get("destination", {})), request.conditions)
            return _resource(request, made, bucket)
        case "POST", ["rewriteTo", "b", other, "o", new]:
            found = buckets.get(bucket, name)
            made = buckets.put(other, new, found.data, found.meta, request.conditions)
            size = str(len(found.data))
            done = {"kind": "storage#rewriteResponse", "done": True, "totalBytesRewritten": size, "objectSize": size}
            return of_json({**done, "resource": _described(request, made, other)})
    raise RefusedError(404, "notFound", f"no such call: {request.method} {request.path}")


def _listed(buckets: Buckets, bucket: str, request: Request) -> Answer:
    query, token = request.query, request.query.get("pageToken", "")
    page = buckets.page(
        bucket,
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        start=query.get("startOffset", ""),
        end=query.get("endOffset", ""),
        after=base64.b64decode(token).decode(),
        limit=int(query.get("maxResults", PAGE)),
    )
    more = {} if page.last is None else {"nextPageToken": base64.b64encode(page.last.encode()).decode()}
    items = [_described(request, each, bucket) for each in page.items]
    return of_json({"kind": "storage#objects", "items": items, "prefixes": page.prefixes, **more})


def _uploaded(buckets: Buckets, request: Request, bucket: str) -> Answer:
    if request.resumes:
        return _resumed(buckets, request)
    match request.query.get("uploadType"):
        case "media":
            meta = Meta(content_type=request.headers.get("content-type", ""))
            return _resource(
                request, buckets.put(bucket, _name(request, {}), request.body, meta, request.conditions), bucket
            )
        case "multipart":
            described, data = _parts(request)
            made = buckets.put(bucket, _name(request, described), data, _meta(described), request.conditions)
            return _resource(request, made, bucket)
        case "resumable":
            described = json.loads(request.body or b"{}")
            name, secret = _name(request, described), uuid.uuid4().hex
            found = buckets.there(bucket).get(name)
            request.conditions.check(found)
            _uploads[secret] = _Upload(bucket, name, _meta(described), request.conditions)
            place = f"http://{request.headers['host']}/upload/storage/v1/b/{bucket}/o?uploadType=resumable"
            return Answer(200, headers={"Location": f"{place}&upload_id={secret}"})
        case other:
            raise RefusedError(400, "invalid", f"uploadType {other!r}")


def _resumed(buckets: Buckets, request: Request) -> Answer:
    upload = _uploads.get(request.query["upload_id"])
    if upload is None:
        raise RefusedError(404, "notFound", "no such upload")
    span = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", request.headers.get("content-range", ""))
    if span is None:
        upload.data = request.body
    elif span[1] is not None:
        upload.data = upload.data[: int(span[1])] + request.body
    whole = span is None or (span[2] != "*" and len(upload.data) == int(span[2]))
    if not whole and len(request.body) % _QUANTUM:
        raise RefusedError(400, "invalid", f"a chunk that is not the last must be a multiple of {_QUANTUM} bytes")
    if not whole:
        return Answer(308, headers={"Range": f"bytes=0-{len(upload.data) - 1}"} if upload.data else {})
    made = buckets.put(upload.bucket, upload.name, upload.data, upload.meta, upload.conditions)
    return _resource(request, made, upload.bucket)


def _parts(request: Request) -> tuple[dict[str, Any], bytes]:
    """Return what a multipart upload says of the object, and its bytes."""
    boundary = re.search(r"boundary=['\"]?([^'\";]+)", request.headers["content-type"])
    if boundary is None:
        raise RefusedError(400, "badContent", "no boundary")
    first, second = request.body.split(b"--" + boundary[1].encode())[1:3]
    data = second.replace(b"\r\n\r\n", b"\n\n", 1).partition(b"\n\n")[2]
    described = message_from_bytes(first.lstrip()).get_payload()
    return json.loads(str(described)), data.removesuffix(b"\n").removesuffix(b"\r")


def _name(request: Request, described: dict[str, Any]) -> str:
    found = request.query.get("name") or described.get("name")
    if not found:
        raise RefusedError(400, "required", "Required object name")
    return str(found)


def _meta(described: dict[str, Any]) -> Meta:
    meta = Meta(
        content_encoding=described.get("contentEncoding"),
        cache_control=described.get("cacheControl"),
        metadata=described.get("metadata", {}),
        md5=described.get("md5Hash"),
        crc32c=described.get("crc32c"),
    )
    return replace(meta, content_type=described["contentType"]) if described.get("contentType") else meta


def _resource(request: Request, found: Stored, bucket: str) -> Answer:
    return of_json(_described(request, found, bucket))


def _described(request: Request, found: Stored, bucket: str) -> dict[str, Any]:
    at = found.updated_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    place = f"storage/v1/b/{bucket}/o/{quote(found.name, safe='')}"
    host = f"http://{request.headers['host']}"
    described = {
        "kind": "storage#object",
        "id": f"{bucket}/{found.name}/{found.generation}",
        "name": found.name,
        "bucket": bucket,
        "generation": str(found.generation),
        "metageneration": "1",
        "size": str(len(found.data)),
        "crc32c": found.crc32c,
        "etag": base64.b64encode(str(found.generation).encode()).decode(),
        "timeCreated": at,
        "updated": at,
        "storageClass": "STANDARD",
        "contentType": found.meta.content_type,
        "selfLink": f"{host}/{place}",
        # The client downloads from here, so it must be the whole address.
        "mediaLink": f"{host}/download/{place}?generation={found.generation}&alt=media",
    }
    optional = {
        "md5Hash": None if found.composite else base64.b64encode(found.md5).decode(),
        "contentEncoding": found.meta.content_encoding,
        "cacheControl": found.meta.cache_control,
        "metadata": found.meta.metadata,
    }
    return described | {name: value for name, value in optional.items() if value}


def _bucket(name: str, location: str) -> dict[str, str]:
    return {"kind": "storage#bucket", "id": name, "name": name, "location": location, "metageneration": "1"}
