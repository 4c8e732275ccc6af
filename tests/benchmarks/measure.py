"""What a command costs, with every process it starts: wall time, CPU time, and memory at its peak.

The command runs under a small process of its own, this file run as a script, which has no other children. There,
all CPU time that its children leave behind belongs to the command. A process whose parent ends first (a fork server,
a resource tracker) would be handed to init with the CPU time of all its children; on Linux the script adopts it.
"""

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import monotonic, perf_counter, sleep, thread_time

import msgspec
import psutil

SAMPLE_SECONDS = 0.05
PSS_SHARE = 0.1  # of a core at most: the kernel walks every page, about 8 ms per GB
LEFT_BEHIND_SECONDS = 10.0  # after that a process that outlives the command is an error
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


class Cost(msgspec.Struct, frozen=True):
    """What one run took. Memory is the sum over all processes, at the moment where it was largest."""

    wall_seconds: float  # until the command itself ended
    cpu_seconds: float  # user and system, of all processes
    peak_pss_bytes: int  # shared pages counted once; 0 where the system does not tell
    peak_rss_bytes: int  # shared pages counted once per process
    pss_samples: int
    rss_samples: int
    others_cpu_seconds: float  # spent meanwhile by the rest of the machine, the sampling included
    exit_code: int


def measure(command: Sequence[str], *, folder: Path, log: Path, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command in `folder` and return what it cost; what it prints goes to `log`.

    A command that fails is measured too: look at the exit code. Raises RuntimeError where nothing could be measured.
    """
    with TemporaryDirectory() as scratch, log.open("wb") as out:
        answer = Path(scratch) / "cost.json"
        watcher = [sys.executable, os.path.abspath(__file__), str(answer), *command]
        ended = subprocess.run(watcher, cwd=folder, env=environment, stdout=out, stderr=out, check=False)
        if ended.returncode or not answer.exists():
            raise RuntimeError(f"{command[0]} could not be measured; {log} says why")
        return msgspec.json.decode(answer.read_bytes(), type=Cost)


def _watch(command: Sequence[str]) -> Cost:
    """Run a command as the child of this process, which must have no other, and wait for all that it starts."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    peak, done = _Peak(), Event()
    sampler = Thread(target=_sample, args=(peak, done))
    busy, began = _busy_seconds(), perf_counter()
    pid = os.posix_spawnp(command[0], list(command), os.environ)
    sampler.start()
    try:
        status = _reaped(pid)
        wall_seconds = perf_counter() - began
    finally:
        done.set()
        sampler.join()
    _reap_the_rest()
    cpu_seconds = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])  # user, system
    return Cost(
        wall_seconds=wall_seconds,
        cpu_seconds=cpu_seconds,
        peak_pss_bytes=peak.pss_bytes,
        peak_rss_bytes=peak.rss_bytes,
        pss_samples=peak.pss_samples,
        rss_samples=peak.rss_samples,
        others_cpu_seconds=max(0.0, _busy_seconds() - busy - cpu_seconds),
        exit_code=os.waitstatus_to_exitcode(status),
    )


def _reaped(pid: int) -> int:
    """Wait for one child and return its status; adopted ones that end before it are reaped on the way."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return status


def _reap_the_rest() -> None:
    """Wait for adopted processes. Raises RuntimeError, after ending them, where some do not end by themselves."""
    deadline = monotonic() + LEFT_BEHIND_SECONDS
    while left := psutil.Process().children(recursive=True):
        if monotonic() > deadline:
            for process in left:
                process.kill()
            raise RuntimeError(f"the command left processes behind: {left}")
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                sleep(SAMPLE_SECONDS / 5)
        except ChildProcessError:
            return


class _Peak:
    """The largest sums seen so far, and how often they were looked for."""

    def __init__(self) -> None:
        self.pss_bytes = self.rss_bytes = self.pss_samples = self.rss_samples = 0


def _sample(peak: _Peak, done: Event) -> None:
    """Look at the memory of all descendants of this process until `done`: RSS every time, PSS when there is time."""
    me, pss_due_at = psutil.Process(), 0.0
    while not done.is_set():
        tree = me.children(recursive=True)
        peak.rss_bytes = max(peak.rss_bytes, sum(map(_rss_bytes, tree)))
        peak.rss_samples += 1
        if perf_counter() >= pss_due_at:
            began = thread_time()
            peak.pss_bytes = max(peak.pss_bytes, sum(map(_pss_bytes, tree)))
            peak.pss_samples += 1
            pss_due_at = perf_counter() + (thread_time() - began) / PSS_SHARE
        done.wait(SAMPLE_SECONDS)


def _rss_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it is gone
        return 0


def _pss_bytes(process: psutil.Process) -> int:
    try:
        return int(getattr(process.memory_full_info(), "pss", 0))
    except psutil.Error:  # it is gone
        return 0


def _busy_seconds() -> float:
    """Return the CPU time that the whole machine has spent since it started."""
    times = psutil.cpu_times()._asdict()
    return float(sum(times.get(kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq", "steal")))


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(msgspec.json.encode(_watch(sys.argv[2:])))
