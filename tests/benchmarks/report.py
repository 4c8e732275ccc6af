"""Measured costs as Markdown, ready for the README, and the machine they were measured on."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil
from corpus import Corpus
from measure import Cost

MB = 1e6


@dataclass(frozen=True, slots=True)
class Measured:
    """All runs of one thing, in the order in which they ran."""

    name: str
    label: str
    events: int  # lines read in each run
    event_names: int
    costs: Sequence[Cost]

    @property
    def wall_seconds(self) -> float:
        """The median."""
        return median(cost.wall_seconds for cost in self.costs)

    @property
    def cpu_seconds(self) -> float:
        """The median."""
        return median(cost.cpu_seconds for cost in self.costs)

    @property
    def per_cpu_second(self) -> float:
        """Events per CPU-second, at the median."""
        return self.events / self.cpu_seconds

    @property
    def peaks_mb(self) -> tuple[float, float]:
        """The medians of peak PSS and peak RSS."""
        pss, rss = ([getattr(cost, name) for cost in self.costs] for name in ("peak_pss_bytes", "peak_rss_bytes"))
        return median(pss) / MB, median(rss) / MB

    @property
    def others_share(self) -> float:
        """The median of what other processes took of the machine while this ran, sampling included."""
        cores = os.cpu_count() or 1
        return median(cost.others_cpu_seconds / (cost.wall_seconds * cores) for cost in self.costs)


def machine() -> str:
    """Return the machine, the versions and the date, as a table."""
    packages = (f"{name} {version(name)}" for name in ("duckdb", "dlt", "pyarrow", "msgspec"))
    rows = [
        ("date", f"{datetime.now(UTC):%Y-%m-%d}"),
        ("CPU", f"{_cpu_model()}, {os.cpu_count()} cores"),
        ("memory", f"{psutil.virtual_memory().total / 1e9:.0f} GB"),
        ("system", f"{platform.system()} {platform.release()}"),
        ("versions", ", ".join((f"Python {platform.python_version()}", *packages))),
        ("load average before", ", ".join(f"{load:.2f}" for load in os.getloadavg())),
    ]
    return _table(("machine", ""), rows)


def corpus_line(made: Corpus) -> str:
    """Return one sentence on what was read."""
    return (
        f"{made.lines:,} events in {made.files} files, {made.raw_bytes / MB:,.0f} MB of JSON lines, "
        f"{made.packed_bytes / MB:,.0f} MB gzipped, {made.event_names:,} event names, "
        f"{made.lines - made.unique_ids:,} repeated events."
    )


def comparison(found: Sequence[Measured]) -> str:
    """Return the table of a comparison, and the ratios that can be made from it."""
    head = ("", "events per CPU-second", "wall s", "CPU s", "peak MB (PSS)", "peak MB (RSS)", "others")
    rows = [
        (
            one.label,
            f"{one.per_cpu_second:,.0f}",
            f"{one.wall_seconds:.2f}",
            f"{one.cpu_seconds:.2f}",
            *(f"{peak:,.0f}" for peak in one.peaks_mb),
            f"{one.others_share:.0%}",
        )
        for one in found
    ]
    return "\n".join((_table(head, rows), "", *_ratios(found)))


def memory(found: Sequence[Measured]) -> str:
    """Return the peaks by size of input, each also as a share of the first."""
    first = found[0].peaks_mb[0] or 1.0
    rows = [
        (
            f"{one.events:,}",
            f"{one.event_names:,}",
            *(f"{peak:,.0f}" for peak in one.peaks_mb),
            f"{one.peaks_mb[0] / first:.2f}",
            f"{one.wall_seconds:.1f}",
            f"{one.per_cpu_second:,.0f}",
        )
        for one in found
    ]
    head = ("events", "event names", "peak MB (PSS)", "peak MB (RSS)", "PSS to first", "wall s", "events per CPU-s")
    return _table(head, rows)


def fixed(found: Sequence[Measured]) -> str:
    """Return the wall and CPU time of small things."""
    rows = [(one.label, f"{one.wall_seconds:.2f}", f"{one.cpu_seconds:.2f}") for one in found]
    return _table(("command start included", "wall s", "CPU s"), rows)


def _ratios(found: Sequence[Measured]) -> Iterable[str]:
    by_name = {one.name: one for one in found}
    ours = next((one for one in found if one.name.startswith("loader")), None)
    if ours is None:
        return
    for peer in found:
        if not peer.name.startswith("loader"):
            ratio = ours.per_cpu_second / peer.per_cpu_second
            yield f"- events per CPU-second, {ours.label} to {peer.label}: {ratio:.1f}×"
    if ours.name != "loader-1" and "loader-1" in by_name:
        yield f"- wall time, 1 worker to {ours.label}: {by_name['loader-1'].wall_seconds / ours.wall_seconds:.2f}×"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1) if len(head) > 2 else ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
