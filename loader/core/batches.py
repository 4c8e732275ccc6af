"""Members → batches within a tool's limits.

The order is kept within an envelope. No identifier is twice in a batch: some tools refuse the whole then, and which
of the two wins would be theirs to choose.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from loader.core.audience import Member, Op
from loader.core.destination import Limits

_NOBODY: tuple[tuple[str, str], ...] = ()
_MAX_OPEN = 32  # envelopes that wait for more members at the same time


@dataclass(slots=True)
class _Open:
    members: list[Member] = field(default_factory=list)
    identifiers: set[tuple[str, str]] = field(default_factory=set)
    bytes: int = 0


def packed(
    members: Iterable[Member], limits: Limits, envelope: Callable[[Member], str], identity: tuple[str, ...]
) -> Iterator[tuple[Member, ...]]:
    """Yield the members in batches. The same members in the same order give the same batches."""
    waiting: dict[tuple[bool, str], _Open] = {}
    for member in members:
        size = len(member.raw) + 1
        names = _names(member, identity) if identity else _NOBODY
        place = (member.op is Op.REMOVE, envelope(member))
        there = waiting.get(place)
        if there and not _fits(there, size, names, limits):
            yield tuple(waiting.pop(place).members)
            there = None
        if there is None:
            if len(waiting) >= _MAX_OPEN:
                yield tuple(waiting.pop(next(iter(waiting))).members)
            there = waiting[place] = _Open()
        there.members.append(member)
        if names:
            there.identifiers.update(names)
        there.bytes += size
    for there in waiting.values():
        yield tuple(there.members)


def batch_key(versions: Iterable[str]) -> str:
    """Return the name of a batch: the same for the same members in the same versions."""
    digest = blake2b(digest_size=16)
    for version in versions:
        digest.update(version.encode())
    return digest.hexdigest()


def _names(member: Member, identity: tuple[str, ...]) -> Collection[tuple[str, str]]:
    return [(name, str(value)) for name in identity if (value := member.fields.get(name)) is not None]


def _fits(there: _Open, size: int, names: Collection[tuple[str, str]], limits: Limits) -> bool:
    if len(there.members) >= limits.rows or there.bytes + size > limits.bytes:
        return False
    return there.identifiers.isdisjoint(names)
