"""What a person is told: the answers of the flows, as plain data that prints as text and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from loader.core.cost import NO_COST, Cost
from loader.core.report import Counts

State = Literal["planned", "shredded", "migrated", "loading", "done", "abandoned"]


class Progress(Protocol):
    """Told how far long work is. Calls are cheap and may come from several threads."""

    def step(self, name: str, *, total: int | None, unit: str) -> None:
        """Begin a step of `total` units (`bytes`, `tables`, `files`); it ends the one before."""

    def advance(self, amount: int, *, events: int = 0) -> None:
        """Some units are done, and with them some events."""

    def note(self, text: str) -> None:
        """Say something that happened: a wait, a resumed load, a file that could not be read."""


@dataclass(frozen=True, slots=True)
class Window:
    """Partitions from `start` (included) to `stop` (left out), aware UTC; None: without an end."""

    start: datetime | None = None
    stop: datetime | None = None


@dataclass(frozen=True, slots=True)
class TableResult:
    """One table in one load."""

    table: str  # schema.table
    rows: int
    duplicates: int
    seconds: float
    error: str | None = None
    cost: Cost = NO_COST


@dataclass(frozen=True, slots=True)
class LoadResult:
    """One load. events = rows + duplicates + filtered + quarantined, and `conserved` says that it was checked."""

    load_id: str
    source: str
    state: State
    resumed: bool
    replay: bool
    files: int
    stored_bytes: int
    lines: int
    events: int
    rows: int
    duplicates: int
    filtered: int
    quarantined: int
    rejects: int
    discarded_values: int
    conserved: bool
    seconds: float
    tables: tuple[TableResult, ...] = ()
    changes: tuple[str, ...] = ()  # as sentences: "create web.order_completed", "add web.tracks.context_ip string"
    problems: tuple[str, ...] = ()  # files left out and why, tables that failed and why

    @property
    def failed(self) -> bool:
        """Whether something must be looked at: a table failed, or a file could not be read."""
        return self.state != "done" or any(table.error for table in self.tables) or bool(self.problems)


@dataclass(frozen=True, slots=True)
class Stage:
    """How far one load came in a half of the flow."""

    load_id: str
    state: State
    partitions: tuple[datetime, ...]  # starts of those that it has files of, in order
    counts: Mapping[datetime, Counts] = field(default_factory=dict)  # by the same; empty before the files are read
    left_out: Mapping[datetime, tuple[str, ...]] = field(default_factory=dict)  # files that could not be read, and why
    bad_input: tuple[str, ...] = ()  # what could not be read or stored, as Markdown, without a person's data
    result: LoadResult | None = None  # of a load that was merged, or tried to be
    error: str = ""  # why it came no further
    transient: bool = False  # whether the same call may succeed later, unchanged


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """What the ledger knows of one partition of a source, over all its loads; a replayed file counts once."""

    at: datetime
    files: int
    stored_bytes: int
    lines: int
    events: int
    quarantined: int
    newest_at: datetime  # when its newest file was written
    finished_at: datetime | None  # when its latest load was done
    unread: int  # files that no load has read yet
    open: int  # files of loads that are not done
    error: str  # of one of those
    damaged: tuple[str, ...]  # files that could not be read at all, and why; until they are replaced or accepted


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A change that a load would make, with its cause."""

    kind: Literal["create", "add", "widen"]
    table: str
    column: str | None
    type: str | None  # for widen: "integer to double"
    cause: str  # file and line
    spelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What a load would do. Nothing was written."""

    source: str
    files: int
    stored_bytes: int
    loads: int
    events: int
    tables: tuple[tuple[str, int], ...]  # table, events in it before deduplication
    changes: tuple[PlannedChange, ...]
    renamed: tuple[tuple[str, str, str], ...]  # table, path as sent, column
    quarantined: tuple[tuple[str, int], ...]  # reason, lines
    rejects: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How a source stands."""

    source: str
    schema: str
    pending_files: int
    pending_bytes: int
    last_load_at: datetime | None
    newest_received_at: datetime | None
    lag_seconds: float | None
    open_loads: tuple[tuple[str, str, str], ...]  # load id, state, error or ""
    lease: str | None  # who holds it
    problem: str = ""  # why it cannot be listed: what waits is unknown then


@dataclass(frozen=True, slots=True)
class LoadLine:
    """A load in the history."""

    load_id: str
    source: str
    state: str
    kind: str
    created_at: datetime
    finished_at: datetime | None
    files: int
    events: int
    rows: int
    duplicates: int
    filtered: int
    quarantined: int
    rejects: int
    conserved: bool | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """All sources, the latest loads, and whether every event of every finished load is accounted for."""

    sources: tuple[SourceStatus, ...]
    loads: tuple[LoadLine, ...]  # newest first
    events: int  # of all finished loads
    unaccounted: int  # 0, or something is wrong


@dataclass(frozen=True, slots=True)
class TableLine:
    """A table as it is."""

    schema: str
    table: str
    rows: int
    newest_received_at: datetime | None
    columns: tuple[tuple[str, str], ...]  # name, type


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table as the ledger knows it, without counting its rows."""

    schema: str
    table: str
    rows: int
    columns: tuple[tuple[str, str, str], ...]  # name, type, paths as sent ("" for ours)
    changed_at: datetime | None  # when a column came or was widened
    loaded_at: datetime | None


@dataclass(frozen=True, slots=True)
class RejectLine:
    """Rejects of one column for one reason."""

    table: str  # schema.table
    column: str
    reason: str
    count: int
    sample: str  # a value, as JSON text, shortened
    file: str
    line: int
    remedy: str


@dataclass(frozen=True, slots=True)
class QuarantineLine:
    """A quarantined line, or a whole file (line 0)."""

    source: str
    load_id: str
    file: str
    line: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Retyped:
    """A column with a wider type, and what came back from the rejects."""

    table: str
    column: str
    old: str
    new: str
    restored: int
    left: int  # rejects that the new type does not hold either


@dataclass(frozen=True, slots=True)
class Check:
    """One step of `loader doctor`."""

    name: str  # "write to staging"
    ok: bool
    detail: str  # what was found
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Doctor:
    """What was really tried, and whether it worked."""

    checks: tuple[Check, ...] = field(default_factory=tuple)

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)
