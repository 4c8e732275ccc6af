"""What a person is told about syncs: plans, runs and rows, as plain data that prints as text and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Preview:
    """The payload of one row, personal data masked."""

    op: str
    payload: Any


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a run would do: the plan is frozen, and `--approve` runs this very one."""

    run_id: str
    sync: str
    destination: str
    mode: str
    state: str
    audience_rows: int
    adds: int
    changes: int
    removes: int
    replaces: int  # of the changes: identifiers changed, so the old one is removed first
    skipped: int  # rejected, dead or unknown before, and not changed since
    suppressed: int
    held_out: int
    invalid: Mapping[str, int]  # why → rows
    why: Mapping[str, int]  # new, changed, retry, again, left → rows
    requests: int
    seconds: float  # at the tool's rate limit
    rejects: Mapping[str, int] | None  # why → rows that would be rejected without a request; None: not counted
    previews: tuple[Preview, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Rows of a run that did not arrive, for one reason."""

    state: str
    code: str
    rows: int
    message: str  # of one of them
    key: str  # of one of them


@dataclass(frozen=True, slots=True)
class SyncResult:
    """One run. Every planned row ends confirmed or removed, or with a reason."""

    run_id: str
    sync: str
    destination: str
    mode: str
    state: str
    resumed: bool
    audience_rows: int
    adds: int
    changes: int
    removes: int
    confirmed: int
    removed: int
    rejected: int
    failed: int  # sent again by the next run
    unknown: int  # a person decides
    open: int  # a job of the tool decides
    invalid: int
    skipped: int
    suppressed: int
    held_out: int
    requests: int
    seconds: float
    reasons: tuple[Reason, ...] = ()
    error: str | None = None

    @property
    def well(self) -> bool:
        """Whether nothing needs a look."""
        return self.state == "success"


@dataclass(frozen=True, slots=True)
class RowLine:
    """What happened to a row in a run."""

    key: str
    op: str
    state: str
    code: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run with its reasons and some of its rows."""

    run: SyncResult
    planned_at: datetime
    finished_at: datetime | None
    rows: tuple[RowLine, ...]


@dataclass(frozen=True, slots=True)
class SyncLine:
    """A sync in the list."""

    sync: str
    destination: str
    kind: str
    mode: str
    states: Mapping[str, int]  # of the ledger: state → rows
    last_run: str | None
    last_state: str | None
    last_at: datetime | None
    lease: str | None = None


@dataclass(frozen=True, slots=True)
class KindLine:
    """A kind of destination, as its file declares it."""

    kind: str
    title: str
    modes: tuple[str, ...]
    identity: tuple[str, ...]
    fields: tuple[str, ...]
    further_fields: bool
    rows: int
    bytes: int
    rates: tuple[str, ...]
    resend: str
    jobs: bool
    settings: tuple[str, ...]
    docs: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A destination, really tried."""

    destination: str
    kind: str
    ok: bool
    detail: str
    notes: tuple[str, ...] = field(default_factory=tuple)
