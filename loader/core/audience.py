"""Members of an audience on their way to a tool, and what became of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from msgspec import Raw


class Op(Enum):
    """What has happened to a member since the tool was told last."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


class Mode(Enum):
    """How a tool is kept equal to an audience."""

    INSERT = "insert"  # who is new is sent, once
    UPDATE = "update"  # all are sent; the tool changes only whom it knows
    UPSERT = "upsert"  # all are sent, and again when they change
    MIRROR = "mirror"  # and deleted in the tool when they leave the audience
    AUDIENCE = "audience"  # and taken off a list, or marked, when they leave; never deleted


@dataclass(frozen=True, slots=True)
class Member:
    """One person or thing. `fields` are the tool's: normalised, hashed where it wants hashes, checked.

    Of a removal they are the identifiers as they were sent, and nothing else.
    """

    key: str
    op: Op
    fields: Mapping[str, Any]
    version: str  # 32 letters: the same for the same row however often it is sent, another when it changes
    remote_id: str | None = None  # what the tool called it when it was sent last
    payload: Mapping[str, Any] = field(default_factory=dict)  # what `encode` made of it
    raw: Raw = field(default_factory=Raw)  # the payload as JSON


@dataclass(frozen=True, slots=True)
class Batch:
    """Members for one push: all removals, or none; all of one envelope; no identifier twice; within the limits."""

    members: tuple[Member, ...]
    mode: Mode
    sync: str
    run: str
    at: int  # seconds since 1970, when it is sent
    key: str  # the same for the same members in the same versions

    @property
    def removes(self) -> bool:
        """Whether these are removals."""
        return self.members[0].op is Op.REMOVE


@dataclass(frozen=True, slots=True)
class Accepted:
    """The tool has it."""

    key: str
    remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The tool will never take it as it is: it waits until the row or the mapping changes."""

    key: str
    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The tool did not take it now: it is sent again."""

    key: str
    code: str
    message: str = ""
    whole: bool = False  # the batch failed, which says nothing about the row: not for destinations to set


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can tell whether the tool took it, and sending it again could do it twice: a person decides."""

    key: str
    code: str
    message: str = ""


Outcome = Accepted | Rejected | Failed | Unknown


@dataclass(frozen=True, slots=True)
class Refused:
    """What `encode` returns for a member that this tool cannot hold: it is rejected without a request."""

    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """The tool works on the batch: `poll` asks how far it is. Kept in the warehouse, so it outlives the process."""

    id: str
    notes: Mapping[str, str] = field(default_factory=dict)  # what else `poll` needs; no secrets
    check_after_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Halve:
    """Some members are bad and the tool does not say which: the batch is sent in halves. Needs a harmless resend."""

    code: str
    message: str = ""
    known: tuple[Rejected, ...] = ()  # whom it did name


Result = list[Outcome] | Job | Halve


def accepted(batch: Batch) -> list[Outcome]:
    """Return that the tool has them all."""
    return [Accepted(member.key) for member in batch.members]


def refused_by_index(batch: Batch, refused: Mapping[int, tuple[str, str]]) -> list[Outcome]:
    """Return outcomes where the tool names whom it refuses by the place in the batch: place → code, message."""
    return [
        Rejected(member.key, *refused[place]) if place in refused else Accepted(member.key)
        for place, member in enumerate(batch.members)
    ]


def refused_by_value(batch: Batch, names: tuple[str, ...], refused: Mapping[str, tuple[str, str]]) -> list[Outcome]:
    """Return outcomes where the tool names whom it refuses by a value of one of the fields `names`.

    In any letter case: tools write values back in small letters.
    """
    folded = {value.casefold(): found for value, found in refused.items()}
    outcomes: list[Outcome] = []
    for member in batch.members:
        values = (str(member.fields[name]).casefold() for name in names if member.fields.get(name) is not None)
        found = next((folded[value] for value in values if value in folded), None)
        outcomes.append(Rejected(member.key, *found) if found else Accepted(member.key))
    return outcomes
