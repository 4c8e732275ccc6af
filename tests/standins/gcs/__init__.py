"""Cloud Storage on 127.0.0.1: the JSON API, and as much of the XML API as clients like obstore use.

What it enforces, each from Google's pages (read 2026-11-21; the cases of test_gcs.py name the page of every rule):
- Listings are in the order of the names' UTF-8 bytes, at most 1,000 a page, with a token for the next; `startOffset`
  and `endOffset` (JSON), `start-after` and `encoding-type=url` (XML), prefix and delimiter.
- Every write makes a new generation; `ifGenerationMatch`, 0 for "only if there is none", is checked at the instant
  of the write: of simultaneous writers one wins, the others get 412. `If-Match` on reads.
- An object with `Content-Encoding: gzip` is served unpacked, without a length, and its Range is ignored, unless the
  request accepts gzip or the object says `no-transform`.
- Checksums that are sent must be right. Resumable uploads come in multiples of 256 KiB; parts of an XML upload, but for
  the last, have 5 MiB at least; compose takes at most 32 objects, and what it makes has no MD5.
- Names: 1 to 1,024 bytes, no line breaks, not `.` or `..`. Deleting what is not there is a 404.
- With `keys`, every request needs a token: one signed by a service account of that file (its signature, issuer, subject
  and times are checked), or one that `/token` gave for such a signature.

What it does not prove: IAM, quotas and 429, soft delete and versioning, retention, customer-supplied keys, gRPC, the
wording of errors, latency, and whatever Google's pages do not say. Nothing here was compared with the real service.
"""

from standins.gcs.server import Cloud, serve

__all__ = ["Cloud", "serve"]
