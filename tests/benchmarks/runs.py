"""One measured run of a contestant in a fresh folder, counted only if every row arrived."""

import os
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree

from contestants import Contestant, counts
from corpus import Corpus
from measure import Cost, measure

ROOT = Path(__file__).parents[2]


def run(contestant: Contestant, made: Corpus, work: Path) -> Cost:
    """Load a corpus into a new warehouse and return what it cost.

    Raises RuntimeError if it failed; only then the folder of the run is kept.
    """
    folder = fresh(work, contestant)
    cost = load(contestant, made, folder)
    rmtree(folder)
    return cost


def fresh(work: Path, contestant: Contestant) -> Path:
    """Return an empty folder for a run; what an earlier run left there is gone."""
    folder = work / "runs" / contestant.name
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def load(contestant: Contestant, made: Corpus, folder: Path) -> Cost:
    """Load a corpus into the warehouse of `folder`, and check its rows. A second load must change nothing."""
    cost = command(contestant.command(made.events, folder), folder)
    found, expected = contestant.rows(counts(folder)), contestant.expected_rows(made)
    if found != expected:
        raise RuntimeError(f"{contestant.label}: expected {expected:,} rows, found {found:,} in {folder}")
    return cost


def command(words: Sequence[str], folder: Path) -> Cost:
    """Run a command with the loader of this clone and return its cost. Raises RuntimeError if it fails."""
    log = folder / "output.log"
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, "DLT_DATA_DIR": str(folder / "dlt")}
    cost = measure(words, folder=folder, log=log, environment=environment)
    if cost.exit_code:
        tail = log.read_text(encoding="utf-8", errors="replace")[-1000:]
        raise RuntimeError(f"{' '.join(words)} ended with exit code {cost.exit_code}; the end of {log}:\n{tail}")
    return cost
