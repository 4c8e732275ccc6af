"""As much of S3 as writing files needs: objects of one bucket, behind one pair of keys.

It holds what a reader of the parts would: every row as the last part that names its key has it.
"""

from collections.abc import Mapping
from hashlib import md5, sha256
from typing import Any
from urllib.parse import unquote

import msgspec

from loader.rehearsal.fake import Call, Reply

KEY_ID, BUCKET = "REHEARSALKEY", "rehearsal"
_DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {
        "url": f"s3://{BUCKET}/audiences",
        "format": "jsonl",
        "endpoint": url,
        "region": "us-east-1",
        "access_key_id": KEY_ID,
        "secret_access_key": "rehearsal-secret",
        "path_style": True,
    }


class Fake:
    """The bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}  # in the order in which they came

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        for name, data in self.objects.items():
            for line in data.splitlines() if "/part-" in name else ():
                row = msgspec.json.decode(line)
                key, op = row.pop("key"), row.pop("op")
                rows.pop(key, None)
                if op != "remove":
                    rows[key] = row
        return rows

    def answer(self, call: Call) -> Reply:
        if f"Credential={KEY_ID}/" not in call.headers.get("authorization", ""):
            return Reply(403, body=_DENIED, headers={"Content-Type": "application/xml"})
        if call.method != "PUT" or not call.path.startswith(f"/{BUCKET}/"):
            return Reply(404)
        name = unquote(call.path.removeprefix(f"/{BUCKET}/"))
        if "/part-" in name and sha256(call.body).hexdigest() not in name:
            return Reply(400, body=b"<Error><Code>BadDigest</Code></Error>")
        self.objects[name] = call.body
        return Reply(200, headers={"ETag": f'"{md5(call.body).hexdigest()}"'})
