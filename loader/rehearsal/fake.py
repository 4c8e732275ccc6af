"""What a fake must do: answer calls, and tell what the tool holds. The server around it is `serving`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it arrived; the names of headers are in small letters."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed. Raises msgspec.DecodeError, which the server answers with 400."""
        return msgspec.json.decode(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: `json`, or else `body`."""

    status: int = 200
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Fake(Protocol):
    """One tool. Calls come one at a time. Limits, authentication and errors are those of the vendor's page."""

    def answer(self, call: Call) -> Reply:
        """Do what the tool would do, and answer as it would."""

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what the tool holds of us: identifier → fields. Who was removed is not there."""
