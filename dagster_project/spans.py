"""What waits in the sources → the runs to ask for: one per contiguous span of partitions, for all its sources.

Pure, so that what the sensor decides can be read and tested without a file. A span that failed several times unchanged
is stepped past: something must change, or a person must look.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from dagster_project.partitions import begins_at, key_of
from loader.core.partitions import STEPS
from loader.load.outstanding import Waiting

MAX_ATTEMPTS = 3  # of the same work; the sensor then waits for it to change


@dataclass(frozen=True, slots=True)
class Span:
    """Contiguous partitions, and the sources with something to do in them. Bounds are included."""

    step: str  # hour or day
    first: datetime
    last: datetime
    sources: tuple[str, ...]
    files: int
    stored_bytes: int
    digest: str  # of all that waits in it: the same work has the same

    @property
    def ends(self) -> tuple[str, str]:
        """The keys of the first and the last partition."""
        return key_of(self.first, self.step), key_of(self.last, self.step)

    def meets(self, source: str, first: str, last: str) -> bool:
        """Return whether a run over a source's partitions works on some of these."""
        try:
            begins, ends = begins_at(first, self.step), begins_at(last, self.step)
        except ValueError:  # a key of the other kind
            return False
        return source in self.sources and begins <= self.last and ends >= self.first


def spans(found: Mapping[str, Iterable[Waiting]], steps: Mapping[str, str], *, per_run: int) -> list[Span]:
    """Return the spans of all that waits, oldest first, of at most `per_run` partitions; `steps` by source."""
    result: list[Span] = []
    for step in sorted(set(steps.values())):
        work = [(each.at, source, each) for source, all_ in found.items() if steps[source] == step for each in all_]
        for members in _contiguous(sorted(work, key=lambda each: each[:2]), step, per_run):
            result.append(_span(step, members))
    return result


def _contiguous(
    work: list[tuple[datetime, str, Waiting]], step: str, per_run: int
) -> Iterator[list[tuple[datetime, str, Waiting]]]:
    chosen: list[tuple[datetime, str, Waiting]] = []
    for each in work:
        full = bool(chosen) and each[0] - chosen[0][0] >= per_run * STEPS[step]
        if chosen and (full or each[0] - chosen[-1][0] > STEPS[step]):
            yield chosen
            chosen = []
        chosen.append(each)
    if chosen:
        yield chosen


def _span(step: str, members: list[tuple[datetime, str, Waiting]]) -> Span:
    words = "\n".join(
        f"{source} {at.isoformat()} {each.files} {each.stored_bytes} {each.newest_at} {each.load}"
        for at, source, each in members
    )
    return Span(
        step,
        members[0][0],
        members[-1][0],
        tuple(sorted({source for _, source, _ in members})),
        sum(each.files for _, _, each in members),
        sum(each.stored_bytes for _, _, each in members),
        hashlib.sha256(words.encode()).hexdigest()[:16],
    )
