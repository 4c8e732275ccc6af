"""One destination's file of cases, its fake, and how members are made and sent without a warehouse."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from loader import destinations
from loader.config.reading import Place, record
from loader.core.audience import Accepted, Batch, Job, Member, Mode, Op, Outcome, Refused, Rejected
from loader.core.batches import packed
from loader.core.destination import Destination
from loader.core.mapping import encoded, identifiers, mapped, removal
from loader.delivery.client import Client
from loader.delivery.delivering import Budget, complete, delivered
from loader.delivery.exchange import Exchange, Patience
from loader.delivery.pace import Pace
from loader.rehearsal.serving import Server, served
from loader.sync.edges import sender

CASES = Path(__file__).parents[1] / "cases" / "destinations"
SLUGS = tuple(sorted(module.name for module in iter_modules(destinations.__path__)))
REMOVING = (Mode.MIRROR, Mode.AUDIENCE)
NOW = datetime.now(UTC).isoformat(timespec="seconds")
_WORDS = {"{long}": "l" * 300, "{megabyte}": "m" * 10**6, "{now}": NOW}  # made once: the rows of a law are thousands
_QUICK = Patience(attempts=3, seconds=5, first_wait_seconds=0.01)


@dataclass(frozen=True, slots=True)
class Case:
    """The file of cases of one destination, read."""

    slug: str
    written: Mapping[str, Any]

    @property
    def destination(self) -> Destination[Any]:
        found: Destination[Any] = import_module(f"loader.destinations.{self.slug}").DESTINATION
        return found

    @property
    def mode(self) -> Mode:
        return Mode(self.written["mode"])

    @property
    def prehashed(self) -> Sequence[str]:
        return list(self.written.get("prehashed", ()))

    def row(self, number: int, **changes: Any) -> dict[str, Any]:
        """Return the number-th row of the audience."""
        return dict(_filled({**self.written["row"], **changes}, number))

    def held(self, numbers: Sequence[int], which: str = "held") -> dict[str, Any]:
        """Return what the tool is to hold of these rows, as the file of cases says."""
        found: dict[str, Any] = {}
        for number in numbers:
            found |= _filled(self.written[which], number)
        return found


def case(slug: str) -> Case:
    return Case(slug, json.loads((CASES / f"{slug}.json").read_text(encoding="utf-8")))


def _filled(value: Any, number: int) -> Any:
    """Return the value with `{n}` as the number, and `sha256:text` as the hash of the text.

    `{long}` and `{megabyte}` are 300 and a million letters, `{now}` is a time that no tool finds too old.
    """
    match value:
        case str():
            text = value.replace("{n}", str(number))
            for mark, stands_for in _WORDS.items():
                text = text.replace(mark, stands_for)
            return sha256(text.removeprefix("sha256:").encode()).hexdigest() if text.startswith("sha256:") else text
        case dict():
            return {_filled(name, number): _filled(each, number) for name, each in value.items()}
        case list():
            return [_filled(each, number) for each in value]
    return value


@dataclass(frozen=True, slots=True)
class Conversation:
    """A destination that speaks to its fake."""

    case: Case
    server: Server
    settings: Any
    exchange: Exchange
    remote_ids: dict[str, str | None] = field(default_factory=dict)  # what the tool called whom

    def member(self, number: int, op: Op = Op.ADD, **changes: Any) -> Member | Refused:
        """Return a row as a member ready to be sent, or why it cannot be."""
        row = self.case.row(number, **changes)
        fields, destination = self.case.written["fields"], self.case.destination
        columns = list(row)
        found = mapped(destination, fields, columns, self.case.prehashed)([row[name] for name in columns])
        if isinstance(found, Refused):
            return found
        key = str(row["id"])
        name = sha256(f"{key} {op} {sorted(changes.items())}".encode()).hexdigest()[:32]
        whole = Member(key, op, found, name)
        if op is Op.REMOVE:
            whole = removal(key, identifiers(destination, self.settings, found), name, None)
        return encoded(destination, self.settings, whole)

    def members(self, numbers: Sequence[int], op: Op = Op.ADD, **changes: Any) -> list[Member]:
        found = [self.member(number, op, **changes) for number in numbers]
        assert not [each for each in found if isinstance(each, Refused)], found
        return [each for each in found if isinstance(each, Member)]

    def send(self, members: Sequence[Member], max_rows: int | None = None) -> list[Outcome]:
        """Send the members as the engine does; return the outcomes, those of jobs included."""
        destination, outcomes = self.case.destination, list[Outcome]()
        limits = replace(destination.limits, rows=min(max_rows or destination.limits.rows, destination.limits.rows))
        members = [replace(each, remote_id=self.remote_ids.get(each.key)) for each in members]
        envelope = lambda member: destination.envelope(self.settings, member)  # noqa: E731  # one line is clearer
        budget = Budget(100)
        if not self.exchange.account.session:
            self.exchange.login()
        for part in packed(members, limits, envelope, destination.identity):
            batch = Batch(part, self.case.mode, "vip", "run1", 0, "")
            done, working = delivered(self.exchange, destination, batch, budget)
            outcomes += done
            for each in working:
                outcomes += self._polled(each.job, each.batch)
        self.remote_ids.update({each.key: each.remote_id for each in outcomes if isinstance(each, Accepted)})
        return outcomes

    def _polled(self, job: Job, batch: Batch) -> list[Outcome]:
        poll = self.case.destination.poll
        assert poll is not None, "a push that ends in a job needs a poll"
        sent = {
            member.key: identifiers(self.case.destination, self.settings, member.fields) for member in batch.members
        }
        bare = replace(batch, members=tuple(replace(each, fields=sent[each.key]) for each in batch.members))
        for _ in range(50):
            found = self.exchange.run(lambda account, job=job: poll(account, job, bare))  # type: ignore[misc]
            if isinstance(found, list):
                return complete(bare, found)
            assert isinstance(found, Job), "a poll ends in outcomes, or in a job again"
            job = found
            time.sleep(min(job.check_after_seconds, 0.02))
        raise AssertionError("the job never ends")


@contextmanager
def conversation(slug: str, tmp_path: Path, **changes: Any) -> Iterator[Conversation]:
    """Yield the destination speaking to its fake, with the settings of both and those of the file of cases."""
    found, fake = case(slug), import_module(f"loader.rehearsal.{slug}")
    with served(fake.Fake()) as server:
        written = {**fake.settings(server.url), **found.written.get("settings", {}), **changes}
        settings = record(written, found.destination.settings, Place("case", (slug,), {}))
        client = Client(private=True, timeout_seconds=5)
        pace = Pace(tmp_path / "pace", ())
        exchange = Exchange(found.destination, settings, sender(settings, client, private=True), pace, _QUICK)
        try:
            yield Conversation(found, server, settings, exchange)
        finally:
            client.close()


def rejected(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Return key → code of those that were rejected."""
    return {each.key: each.code for each in outcomes if isinstance(each, Rejected)}
