"""Files: parts of CSV, JSON lines or Parquet in a folder, a bucket or on an SFTP server, and then a manifest.

Layout   `<url>/<sync>/<run>/part-<sha256>.<format>[.gz]`, then `manifest.json`, last: `{"sync", "run", "format",
         "rows", "parts": [{"name", "rows", "sha256"}]}`. A run without a manifest is not finished, and a part that no
         manifest names (a crash can leave one) is not to be read
Rows     `key`, `op` (add, change, remove) and the mapped fields; of a removal only key and op
Named    by content: the same part written twice is one file
"""

import gzip
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Literal

import msgspec

from loader.core.audience import Accepted, Batch, Member, Mode, Result
from loader.core.destination import Account, Destination, Ended, Limits, Resend, Steps
from loader.core.fields import Field
from loader.core.http import Request
from loader.core.settings import Record, Secret
from loader.core.tabular import csv_bytes, jsonl_bytes, parquet_bytes

FORMULAS = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
)  # what a spreadsheet would run (owasp.org/www-community/attacks/CSV_Injection)


class Settings(Record, frozen=True):
    """Where the files go; access keys are for s3:// and may come from the environment or the machine instead."""

    url: str  # a folder, s3://bucket/prefix, gs://bucket/prefix or sftp://user@host/folder
    format: Literal["csv", "jsonl", "parquet"] = "csv"
    gzip: bool = False  # Parquet is compressed in itself
    delimiter: str = ","
    guard_formulas: bool = False  # a ' before what a spreadsheet would run: for files that people open
    endpoint: str | None = None
    region: str | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    path_style: bool | None = None
    host_key: str | None = None  # of sftp://, as `ssh-keyscan` shows it: ssh-ed25519 AAAA…
    password: Secret | None = None
    private_key: Secret | None = None  # its text: `env:NAME`


def encode(_: Settings, member: Member) -> Mapping[str, Any]:
    return {"key": member.key, "op": member.op.value, **member.fields}


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    settings = account.settings
    rows = [member.payload for member in batch.members]
    match settings.format:
        case "csv":
            data = csv_bytes(rows, delimiter=settings.delimiter, guard_formulas=settings.guard_formulas)
        case "jsonl":
            data = jsonl_bytes(rows)
        case "parquet":
            data = parquet_bytes(rows)
    packed = settings.gzip and settings.format != "parquet"
    if packed:
        data = gzip.compress(data, mtime=0)  # no time inside, so the same rows are the same bytes
    name = f"part-{sha256(data).hexdigest()}.{settings.format}{'.gz' if packed else ''}"
    yield Request("PUT", f"{settings.url.rstrip('/')}/{batch.sync}/{batch.run}/{name}", body=data)
    return [Accepted(member.key, name) for member in batch.members]


def finish(account: Account[Settings], ended: Ended) -> Steps[None]:
    parts = [
        {"name": name, "rows": rows, "sha256": name.removeprefix("part-").partition(".")[0]}
        for name, rows in sorted(ended.stored.items())
    ]
    form, rows = account.settings.format, sum(ended.stored.values())
    manifest = {"sync": ended.sync, "run": ended.run, "format": form, "rows": rows, "parts": parts}
    where = f"{account.settings.url.rstrip('/')}/{ended.sync}/{ended.run}/manifest.json"
    yield Request("PUT", where, body=msgspec.json.encode(manifest))


def check(account: Account[Settings]) -> Steps[str]:
    url = account.settings.url.rstrip("/")
    yield Request("PUT", f"{url}/loader-check.json", body=b"{}", harmless=True)
    return "a file could be written: loader-check.json, which may be deleted"


DESTINATION = Destination(
    title="Files",
    docs="https://parquet.apache.org/docs/file-format/",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.MIRROR, Mode.AUDIENCE}),
    fields=(),
    extra=Field("any"),
    identity=(),
    limits=Limits(rows=50_000, bytes=16_000_000),  # ours, so that a part fits into memory
    resend=Resend.SAFE,
    encode=encode,
    push=push,
    finish=finish,
    check=check,
)
