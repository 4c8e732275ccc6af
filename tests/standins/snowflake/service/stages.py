"""Stages and the files in them: named, of a table (`@%table`), of the user (`@~`), and external ones on S3.

Rules: docs.snowflake.com/en/sql-reference/sql/{create-stage,put,list,remove}. What a client PUTs comes by HTTP; the
files of an external stage are fetched from the S3 that the stand-in was given when COPY names them.
"""

import re
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from typing import Any

from standins.snowflake.service import names
from standins.snowflake.service.names import PATH, Name
from standins.snowflake.service.refusals import RefusedError

_REFERENCE = re.compile(rf"\s*'?@(?P<stage>{PATH})(?P<path>/[^\s']*)?'?", re.IGNORECASE)
_CREATE = re.compile(
    rf"\s*create\s+(?P<replace>or\s+replace\s+)?(?:temp\w*\s+)?stage\s+(?P<guard>if\s+not\s+exists\s+)?(?P<name>{PATH})"
    r"(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_DROP = re.compile(rf"\s*drop\s+stage\s+(?P<guard>if\s+exists\s+)?(?P<name>{PATH})\s*;?\s*$", re.IGNORECASE)
_URL = re.compile(r"\burl\s*=\s*'([^']*)'", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A stage, and a path in it ("" or one without a slash in front)."""

    stage: Name
    path: str


@dataclass
class Stages:
    """All stages of the service. `home` is a folder of its own; `s3` says how to reach S3, or is empty."""

    home: Path
    s3: dict[str, str]
    made: dict[Name, str] = field(default_factory=dict)  # name → url; "" is an internal stage

    def place(self, written: str, database: str | None, schema: str | None) -> tuple[Place, str]:
        """Return the place that a text begins with, and the rest of the text."""
        found = _REFERENCE.match(written)
        if not found:
            raise RefusedError(1003, "42000", "SQL compilation error: syntax error: a stage is written @name.")
        stage = ("", "", "~") if found["stage"] == "~" else names.full(found["stage"], database, schema)
        if stage[2][:1] not in "%~" and stage not in self.made:
            raise RefusedError(
                2003, "02000", f"SQL compilation error: Stage '{'.'.join(stage)}' does not exist or not authorized."
            )
        return Place(stage, (found["path"] or "").lstrip("/")), written[found.end() :]

    def create(self, sql: str, database: str | None, schema: str | None) -> str:
        """Make a stage; return what Snowflake says."""
        found = _CREATE.match(sql)
        if not found:
            raise RefusedError(1003, "42000", "SQL compilation error: syntax error in CREATE STAGE.")
        name, url = names.full(found["name"], database, schema), _URL.search(found["rest"])
        if name in self.made and not found["replace"]:
            if not found["guard"]:
                raise RefusedError(2002, "42710", f"SQL compilation error: Object '{'.'.join(name)}' already exists.")
            return f"{name[2]} already exists, statement succeeded."
        self.made[name] = url[1] if url else ""
        return f"Stage area {name[2]} successfully created."

    def drop(self, sql: str, database: str | None, schema: str | None) -> str:
        """Drop a stage with the files in it."""
        found = _DROP.match(sql)
        if not found:
            raise RefusedError(1003, "42000", "SQL compilation error: syntax error in DROP STAGE.")
        name = names.full(found["name"], database, schema)
        if self.made.pop(name, None) is None and not found["guard"]:
            raise RefusedError(
                2003, "02000", f"SQL compilation error: Stage '{'.'.join(name)}' does not exist or not authorized."
            )
        self.forget(name)
        return f"{name[2]} successfully dropped."

    def forget(self, stage: Name) -> None:
        """Delete the files of a stage; a dropped table takes its stage with it."""
        for path in self.files(Place(stage, "")).values():
            path.unlink()

    def path(self, place: Place) -> Path:
        """Return where a file of an internal stage lies."""
        folder = self.home / ".".join(place.stage).replace("/", "_")
        target = (folder / place.path).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise RefusedError(1003, "42000", "SQL compilation error: a path must stay in its stage.")
        return target

    def files(self, place: Place) -> dict[str, Path]:
        """Return the files of an internal stage whose path begins with the place's, by their path in the stage."""
        folder = self.path(Place(place.stage, ""))
        found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        return {key: path for key, path in found.items() if key.startswith(place.path)}

    def fetched(self, place: Place, listed: list[str]) -> dict[str, Path]:
        """Return the files to COPY: those listed, else all of the place."""
        url = self.made.get(place.stage, "")
        if url and not listed:
            raise RefusedError(1003, "42000", "the stand-in copies from external stages only with FILES")
        there = {} if url else self.files(place)
        base = place.path if not place.path or place.path.endswith("/") else f"{place.path}/"
        if not listed:
            return there
        found = {}
        for name in listed:
            path = self._external(url, base + name) if url else there.get(base + name)
            if path is None:
                raise RefusedError(
                    100016, "22000", f"Remote file '{'.'.join(place.stage)}/{base}{name}' was not found."
                )
            found[base + name] = path
        return found

    def _external(self, url: str, key: str) -> Path | None:
        import boto3  # of the tests' environment; only external stages need it
        from botocore.exceptions import ClientError

        if not self.s3:
            raise RefusedError(91016, "22000", "Failed to access remote file: access denied.")
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        client: Any = boto3.client("s3", **self.s3)
        target = self.home / "external" / md5(f"{url}{key}".encode()).hexdigest()
        target.parent.mkdir(exist_ok=True)
        try:
            client.download_file(bucket, prefix + key, str(target))
        except ClientError:
            return None
        return target
