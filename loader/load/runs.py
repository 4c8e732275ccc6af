"""A load on its way, and the manifest that says what its parts are."""

from dataclasses import dataclass

import msgspec

from loader.core.objects import load_bytes
from loader.core.plan import PlannedLoad
from loader.core.report import BadFile, Counts, Report, TableReport, columns_of, intact
from loader.core.results import Progress
from loader.errors import LeaseError
from loader.load.edges import Edges
from loader.load.leasing import Lease


@dataclass(frozen=True, slots=True)
class Run:
    """One load on its way."""

    edges: Edges
    lease: Lease
    progress: Progress
    load: PlannedLoad
    kind: str  # load or replay
    resumed: bool
    began: float  # time.monotonic()

    @property
    def prefix(self) -> str:
        """Where its parts are in staging."""
        return f"loads/{self.edges.source}/{self.load.load_id}/"


class Manifest(msgspec.Struct, frozen=True):
    """All that shredding found: written last, so that where it is, all parts are."""

    tables: dict[str, TableReport]
    counts: dict[int, Counts]  # by file ordinal
    bad_files: list[BadFile]
    rejects: list[tuple[str, list[str]]]  # part, and the tables whose rejects in it are void
    quarantine: list[str]  # parts
    policy: str = ""  # digest of the settings that say what becomes of a line

    @property
    def total(self) -> Counts:
        """The counts of all files."""
        result = Counts()
        for each in self.counts.values():
            result = result.plus(each)
        return result


def manifest(reports: list[Report], voided: dict[int, frozenset[str]], again: list[Report], *, policy: str) -> Manifest:
    """Return the manifest of all shards' reports.

    `voided`: tables that a shard wrote again, so that its first rejects of them count no more; `again` has the new.
    """
    rejects = [(key, sorted(voided.get(index, ()))) for index, each in enumerate(reports) for key in each.rejects]
    return Manifest(
        columns_of(reports),
        {ordinal: counts for each in reports for ordinal, counts in each.counts.items()},
        sorted((bad for each in reports for bad in each.bad_files), key=lambda bad: bad.file),
        rejects + [(key, []) for each in again for key in each.rejects],
        [key for each in reports for key in each.quarantine],
        policy,
    )


def stored_manifest(run: Run) -> Manifest | None:
    """Return the load's manifest, or None if its files are not all shredded."""
    data = load_bytes(run.edges.staging, _key(run))
    return None if data is None else msgspec.json.decode(data, type=Manifest)


def has_parts(run: Run, manifest: Manifest) -> bool:
    """Return whether all parts of a manifest are as they were written: they need not outlive a power failure.

    They are the load's own, or those of the load of which it is a reload.
    """
    notes = [*(key for key, _ in manifest.rejects), *manifest.quarantine]
    keys = [*notes, *(part.key for each in manifest.tables.values() for part in each.parts)]
    prefixes = {"/".join(key.split("/")[:3]) for key in keys}  # as in Run.prefix
    sizes = {file.key: file.size for each in prefixes for file in run.edges.staging.list(f"{each}/")}
    return intact(manifest.tables, notes, sizes)


def store_manifest(run: Run, found: Manifest, *, before: Manifest | None = None) -> None:
    """Write the manifest, in place of the one that was there before: from here on the files need not be read again.

    Where there was none, it is made on that condition. LeaseError if another load has written another one meanwhile.
    """
    staging, data = run.edges.staging, msgspec.json.encode(found)
    if before is not None:
        staging.write(_key(run), data)
    elif not staging.create(_key(run), data) and stored_manifest(run) != found:
        raise LeaseError(
            f"source {run.edges.source!r}: another load has taken over load {run.load.load_id}, and converted its "
            "files otherwise; run again: the load continues"
        )


def _key(run: Run) -> str:
    return f"{run.prefix}manifest.json"
