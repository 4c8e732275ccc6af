"""A Snowflake on 127.0.0.1: fakesnow's SQL over DuckDB, in an environment of its own, behind a server of ours.

The loader speaks to it through Snowflake's own connector, over HTTP. What is checked, and from where the rule is
(docs.snowflake.com/en/…, read in November 2026), is said in the modules of `service`:

    accounts   password, key pair (the JWT's signature, issuer, subject and life), OAuth token
    sessions   schema changes commit the open transaction; what is read is what was committed when a statement began
    locks      UPDATE, DELETE and MERGE of one table wait for one another
    stages     named, table, user and external stages; PUT, LIST, REMOVE
    copying    COPY INTO: FILES, what was loaded before, names, logical types, lengths, NOT NULL, VARIANT
    changes    MERGE that is not deterministic, column types that cannot be altered, SWAP
    history    QUERY_HISTORY_BY_USER, in which all statements take as long and scan as much
    rules      reserved words and functions that Snowflake does not have
    faults     errors, HTTP statuses, connections lost before and after the effect, sessions that never answer again

It does not prove: grants (a test asks for the refusal), the real wording of errors, PUT's client-side encryption to a
real bucket (it imitates a presigned url, and OVERWRITE is always true), case of quoted names (the engine ignores it),
micro-partitions, pruning, credits, limits of statements and of VARIANT, warehouses that sleep, replication, and every
function of fakesnow that differs. None of it was compared with the real service by us.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

from standins.snowflake.environment import ensured

TESTS = Path(__file__).parents[2]


@dataclass(frozen=True)
class Account:
    """A running stand-in and how to log in."""

    port: int
    user: str
    password: str
    oauth_token: str
    s3: dict[str, str]

    def run(self, *statements: str) -> None:
        """Run statements as somebody who may do everything."""
        for sql in statements:
            self._ask("run", {"sql": sql})

    def fail(self, *faults: dict[str, Any]) -> None:
        """Let these faults strike, instead of any before; see `service.faults`."""
        self._ask("faults", list(faults))

    def struck(self) -> int:
        """Return how often the faults have struck."""
        return int(self._ask("struck", {})["struck"])

    def database(self) -> str:
        """Make a database, and return its name."""
        name = f"D{uuid4().hex[:12]}".upper()
        self.run(f"CREATE DATABASE {name}")
        return name

    def statements(self) -> list[tuple[str, str]]:
        """Return query tag and SQL of every statement so far."""
        return [(tag, sql) for tag, sql in self._ask("statements", {})["statements"]]

    def stages(self) -> dict[str, list[str]]:
        """Return the stages that are there, and the files in all of them."""
        found: dict[str, list[str]] = self._ask("stages", {})
        return found

    def _ask(self, what: str, body: Any) -> Any:
        request = Request(f"http://127.0.0.1:{self.port}/standin/{what}", json.dumps(body).encode(), method="POST")
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]


@contextmanager
def serve(
    *, public_key: str = "", databases: Sequence[str] = ("ANALYTICS",), s3: dict[str, str] | None = None
) -> Iterator[Account]:
    """Yield a Snowflake with empty databases; it ends with the block, or with this process."""
    os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"  # the connector asks the cloud's metadata otherwise
    account = {"name": "LOADER", "password": "a password", "public_key": public_key, "oauth_token": "a token"}
    with TemporaryDirectory(prefix="snowflake-") as home:
        told = {"user": account, "databases": list(databases), "home": str(Path(home).resolve()), "s3": s3 or {}}
        command = [str(ensured()), "-W", "ignore", "-m", "standins.snowflake.service"]
        environment = os.environ | {"PYTHONPATH": str(TESTS)}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdin
            assert process.stdout
            try:
                process.stdin.write(json.dumps(told) + "\n")
                process.stdin.flush()
                port = int(process.stdout.readline())
                yield Account(port, account["name"], account["password"], account["oauth_token"], s3 or {})
            finally:
                process.stdin.close()
                process.wait(timeout=30)
