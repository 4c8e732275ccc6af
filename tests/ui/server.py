"""`dagster dev` as a person starts it, and its GraphQL as its UI asks it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil
from standins.ports import reserved

ROOT = Path(__file__).parents[2]
START_SECONDS = 180.0  # on a busy machine; 8 on an idle one
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
LAUNCH = """mutation ($execution: ExecutionParams!) { launchRun(executionParams: $execution) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN = """query ($run: ID!) { runOrError(runId: $run) { ... on Run { status startTime endTime creationTime
  tags { key value } } } }"""
RUNS = "{ runsOrError { ... on Runs { results { runId status jobName tags { key value } } } } }"
PARTITIONS = """query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  partitionStats { numMaterialized numFailed numPartitions } assetPartitionStatuses {
  ... on TimePartitionStatuses { ranges { status startKey endKey } } } } } }"""
BACKFILL = """mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
BACKFILL_STATE = """query ($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status numPartitions endTimestamp error { message } } } }"""
SENSORS = """{ sensorsOrError(repositorySelector: {repositoryLocationName: "loader",
  repositoryName: "__repository__"}) {
  ... on Sensors { results { name id sensorState { selectorId status } } } } }"""
START = """mutation ($sensor: String!) { startSensor(sensorSelector: {repositoryLocationName: "loader",
  repositoryName: "__repository__", sensorName: $sensor}) { __typename ... on PythonError { message } } }"""
RELOAD = 'mutation { reloadRepositoryLocation(repositoryLocationName: "loader") { __typename } }'
STOP = "mutation ($id: String!) { stopSensor(id: $id) { __typename ... on PythonError { message } } }"


@dataclass(frozen=True, slots=True)
class Server:
    """A running `dagster dev`."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """Ask its GraphQL."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
            return data

    def until(self, happened: Callable[[], Any], *, seconds: float = 180.0) -> Any:
        """Wait until something is true, and return it."""
        deadline = time.monotonic() + seconds
        while not (found := happened()):
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {self.log.read_text()[-4000:]}"
            time.sleep(0.3)
        return found

    def assets(self) -> set[str]:
        """Return the assets that are served; none while the server or its code location is starting."""
        try:
            nodes = self.ask("{ assetNodes { assetKey { path } } }")["assetNodes"]
        except (URLError, ConnectionError, TimeoutError, OSError):
            return set()
        return {"/".join(node["assetKey"]["path"]) for node in nodes}

    def launch(
        self, *, job: str = "__ASSET_JOB", assets: tuple[str, ...] = (), tags: dict[str, str], config: dict[str, Any]
    ) -> str:
        """Launch a run as the UI does; return its id."""
        selector = {
            "repositoryLocationName": "loader",
            "repositoryName": "__repository__",
            "jobName": job,
            **({"assetSelection": [{"path": each.split("/")} for each in assets]} if assets else {}),
        }
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        execution = {"selector": selector, "executionMetadata": {"tags": listed}, "runConfigData": config}
        launched = self.ask(LAUNCH, execution=execution)["launchRun"]
        return str(launched["run"]["runId"])

    def ended(self, run: str, *, seconds: float = 180.0) -> dict[str, Any]:
        """Wait for the end of a run; return what is known of it."""

        def known() -> dict[str, Any] | None:
            found: dict[str, Any] = self.ask(RUN, run=run)["runOrError"]
            return found if found["status"] in ENDED else None

        found: dict[str, Any] = self.until(known, seconds=seconds)
        return found

    def partitions(self, asset: str) -> tuple[dict[str, int], list[tuple[str, str, str]]]:
        """Return how many partitions of an asset are there and failed, and the ranges of each status."""
        node = self.ask(PARTITIONS, key={"path": asset.split("/")})["assetNodeOrError"]
        ranges = [
            (each["status"], each["startKey"], each["endKey"]) for each in node["assetPartitionStatuses"]["ranges"]
        ]
        return node["partitionStats"], ranges

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs, newest first."""
        found: list[dict[str, Any]] = self.ask(RUNS)["runsOrError"]["results"]
        return found

    def idle(self) -> bool:
        """Return whether no run is going on or waits."""
        return all(each["status"] in ENDED for each in self.runs())

    def start_sensor(self, name: str) -> None:
        """Turn a sensor on."""
        assert self.ask(START, sensor=name)["startSensor"]["__typename"] == "Sensor"

    def stop_sensor(self, name: str) -> None:
        """Turn a sensor off."""
        (found,) = [each for each in self.ask(SENSORS)["sensorsOrError"]["results"] if each["name"] == name]
        self.ask(STOP, id=found["id"])

    def workers(self, run: str) -> list[psutil.Process]:
        """Return the processes of a run: those whose output is written to the run's own files."""
        writers = [each.parent() for each in self.processes(run)]
        return list({each.pid: each for each in writers if each is not None}.values())

    def processes(self, words: str) -> list[psutil.Process]:
        """Return the processes of this server whose command line has some words."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [each for each in children if words in " ".join(_command(each))]


def _command(process: psutil.Process) -> list[str]:
    try:
        found: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return found


@contextmanager
def dagster_dev(folder: Path) -> Iterator[Server]:
    """Run `dagster dev` on a project's folder, with our instance file; a second time it goes on with its history."""
    with reserved() as port, served(folder, port) as server:
        yield server


@contextmanager
def served(folder: Path, port: int) -> Iterator[Server]:
    """Run it at a port that is reserved."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    shutil.copy(ROOT / "dagster_project" / "instance" / "local.yaml", home / "dagster.yaml")
    words = [sys.executable, "-m", "dagster", "dev", "-w", str(ROOT / "workspace.yaml"), "-h", "127.0.0.1"]
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "LOADER_CONFIG": str(folder / "loader.toml"),
    }
    with (home / "log").open("ab") as log:
        # In a session of its own: else it has no ear for the signal to stop.
        process = subprocess.Popen(
            [*words, "-p", str(port)], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        server = Server(process, port, home / "log")
        try:
            server.until(lambda: process.poll() is not None or server.assets(), seconds=START_SECONDS)
            assert process.poll() is None, server.log.read_text()
            yield server
        finally:
            stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End `dagster dev` and all that it started."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        family = []
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for each in family:
        if each.is_running():
            each.kill()
