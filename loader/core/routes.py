"""Event names → where their events go: a table, or the reason why nowhere. Asked once for each."""

from dataclasses import dataclass, field

from loader.core import calls, spec
from loader.core.calls import Head
from loader.core.policy import Known, Policy
from loader.core.schema import family

FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a kind of event goes: a table, or the reason why nowhere."""

    table: str
    call: str
    reason: str | None = None  # FILTERED, or the reason of quarantine


@dataclass(slots=True)
class Routes:
    """Where events of a shard go; a code is a position in `targets`."""

    known: Known
    policy: Policy
    codes: dict[tuple[str, str | None], int] = field(default_factory=dict)  # of types and event names, but see `code`
    targets: list[Route] = field(default_factory=list)

    def code(self, head: Head) -> int:
        """Return where an event goes, −1 if it is none. Of groups and aliases nothing is kept: each has its own key."""
        if calls.objection(head) is not None or head.type is None:
            return -1
        kind = head.type.lower()
        if (head.type, head.event) in self.codes:
            return self.codes[head.type, head.event]
        code = len(self.targets)
        if kind in ("group", "alias"):  # their own key must be looked at on every line
            return self._shared(kind)
        if kind != "track":
            code = self._shared(kind)
        else:
            self.targets.append(self._target(kind, head.event or ""))
        self.codes[head.type, head.event] = code
        return code

    def _shared(self, kind: str) -> int:
        if (kind, "") not in self.codes:
            self.codes[kind, ""] = len(self.targets)
            self.targets.append(self._target(kind, ""))
        return self.codes[kind, ""]

    def _target(self, kind: str, event: str) -> Route:
        call = spec.CALLS[kind]
        table = call.table or spec.event_table(event)
        if not self.policy.events.takes([event if kind == "track" else kind]):
            return Route(table, kind, FILTERED)
        if self.policy.evolve != "evolve" and not {table, family(table, kind)} <= self.known.tables.keys():
            return Route(table, kind, "table_frozen" if self.policy.evolve == "freeze" else FILTERED)
        return Route(table, kind)
