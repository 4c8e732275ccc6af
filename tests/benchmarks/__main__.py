"""The benchmark: `python tests/benchmarks` compares, `--memory` and `--fixed` look at this loader alone.

Needs the extra `bench`. Everything is written below --work, and event files are made once; figures mean something
on an idle machine only: the column `others` tells how much of it other processes had.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import msgspec
from contestants import Contestant, contestants, loader, ours
from corpus import Corpus, corpus, warm
from measure import Cost
from report import Measured, comparison, corpus_line, fixed, machine, memory
from runs import ROOT, command, fresh, load, run

SMALL = {"events": 100, "event_names": 60}
FIXED_RUNS = 5


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark that the arguments ask for and print it. Returns 1 if a run failed."""
    options = _parsed(arguments)
    print(machine(), end="\n\n", flush=True)
    try:
        if options.dagster:
            from overheads import overheads, table  # needs the extra `test`

            print(table(overheads(options.work)))
            return 0
        if options.warehouses:
            print(_warehouses(options))
            return 0
        found = _fixed(options) if options.fixed else _memory(options) if options.memory else _compare(options)
    except RuntimeError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": machine(), "measured": found})))
    return 0


def _parsed(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser(prog="python tests/benchmarks", description="Measure this loader, dlt and DuckDB alone.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--memory", action="store_true", help="peak memory of this loader by size of input")
    mode.add_argument("--fixed", action="store_true", help="wall time of small things, command start included")
    mode.add_argument("--dagster", action="store_true", help="what Dagster and Dask add to the work itself")
    mode.add_argument("--warehouses", type=_words, metavar="KINDS", help="load into these, such as duckdb,postgres")
    parser.add_argument("--events", type=int, nargs="+", help="default 200000; with --memory also 2000000")
    parser.add_argument("--names", type=int, nargs="+", help="event names: default 60; with --memory also 2000")
    parser.add_argument("--runs", type=int, help="of each, interleaved; medians are printed (1; 5 with --fixed)")
    parser.add_argument("--workers", type=int, default=2, help="processes of this loader (2)")
    parser.add_argument("--only", type=_words, help="some of loader-2, loader-1, dlt, dlt-tuned, dlt-inserts, duckdb")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench", help="folder to work in (build/bench)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run to a file")
    options = parser.parse_args(arguments)
    options.work = options.work.resolve()
    known = {one.name for one in contestants(options.workers)}
    if options.only and not set(options.only) <= known:
        parser.error(f"--only: {sorted(set(options.only) - known)} not among {sorted(known)}")
    return options


def _warehouses(options: Namespace) -> str:
    """Return what the load into each kind of warehouse cost, as a table."""
    from targets import loaded, table  # needs the extra `test`, which the other ways do not

    [made, *_] = _corpora(options, events=[200_000], names=[60])
    warm(made)
    kinds = options.warehouses
    workers = options.workers
    return table([loaded(kind, made, options.work, workers=workers, runs=options.runs or 1) for kind in kinds])


def _words(text: str) -> list[str]:
    return text.split(",")


def _compare(options: Namespace) -> list[Measured]:
    """Print and return a comparison for every size asked for."""
    wanted = options.only or ["loader-1", f"loader-{options.workers}", "dlt", "duckdb"]
    chosen = [one for one in contestants(options.workers) if one.name in wanted]
    small = corpus(options.work, **SMALL)
    for contestant in chosen:  # fails early, and leaves no module to compile
        run(contestant, small, options.work)
    found = []
    for made in _corpora(options, events=[200_000], names=[60]):
        measured = _interleaved(chosen, made, options)
        print(corpus_line(made), comparison(measured), sep="\n\n", end="\n\n", flush=True)
        found += measured
    return found


def _memory(options: Namespace) -> list[Measured]:
    """Print and return the peaks of this loader for every size asked for."""
    found = []
    for made in _corpora(options, events=[200_000, 2_000_000], names=[60, 2_000]):
        found += _interleaved([ours(options.workers)], made, options)
    print(memory(found))
    return found


def _fixed(options: Namespace) -> list[Measured]:
    """Print and return what small things take; the first round, which may compile modules, is not counted."""
    made, contestant = corpus(options.work, **SMALL), ours(options.workers)
    rounds: list[tuple[Cost, Cost, Cost]] = []
    for _ in range(1 + (options.runs or FIXED_RUNS)):
        folder = fresh(options.work, contestant)
        one_file, nothing = load(contestant, made, folder), load(contestant, made, folder)
        rounds.append((one_file, nothing, command([*loader(), "--help"], folder)))
    labels = (f"load of one file, {made.lines} events", "load of nothing new", "--help")
    found = [
        Measured(label, label, made.lines, made.event_names, costs)
        for label, costs in zip(labels, zip(*rounds[1:], strict=True), strict=True)
    ]
    print(fixed(found))
    return found


def _corpora(options: Namespace, *, events: list[int], names: list[int]) -> list[Corpus]:
    sizes = product(options.events or events, options.names or names)
    return [corpus(options.work, events=events, event_names=names) for events, names in sizes]


def _interleaved(chosen: Sequence[Contestant], made: Corpus, options: Namespace) -> list[Measured]:
    """Return the costs of each contestant, who take turns, so that a slow minute hits all alike."""
    warm(made)
    costs: dict[str, list[Cost]] = {contestant.name: [] for contestant in chosen}
    for turn in range(options.runs or 1):
        for contestant in chosen:
            print(f"{contestant.label}, {made.lines:,} events, run {turn + 1}", file=sys.stderr, flush=True)
            costs[contestant.name].append(run(contestant, made, options.work))
    return [Measured(one.name, one.label, made.lines, made.event_names, costs[one.name]) for one in chosen]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
