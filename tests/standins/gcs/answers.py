"""Requests to the Cloud Storage stand-in, and its answers, as values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from standins.gcs.bucket import Conditions, Stored

_JSON_PATHS = ("/storage/v1/", "/upload/storage/v1/", "/download/storage/v1/", "/resumable/upload/storage/v1/")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked."""

    method: str
    raw_path: str  # as sent: an encoded `/` is part of a name
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes = field(repr=False)

    @property
    def is_json(self) -> bool:
        """Whether it is one of the JSON API."""
        return self.path.startswith(_JSON_PATHS) or self.path in ("/token", "/batch/storage/v1")

    @property
    def resumes(self) -> bool:
        """Whether it goes on with an upload, whose secret url is all that it needs."""
        return "upload_id" in self.query

    @property
    def conditions(self) -> Conditions:
        """The preconditions, of either API."""
        generation = self.query.get("ifGenerationMatch", self.headers.get("x-goog-if-generation-match"))
        return Conditions(generation, self.query.get("ifGenerationNotMatch"), self.headers.get("if-match"))

    def without_body(self) -> "Request":
        return replace(self, body=b"")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: a body, or an object's bytes as far as the request's headers ask for them."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    media: Stored | None = None


def of_json(value: Any, status: int = 200) -> Answer:
    """Return an answer in JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=UTF-8"})


def of_xml(text: str, status: int = 200) -> Answer:
    """Return an answer in XML."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>{text}'
    return Answer(status, body.encode(), {"Content-Type": "application/xml; charset=UTF-8"})
