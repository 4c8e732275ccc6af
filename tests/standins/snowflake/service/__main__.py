"""Runs the stand-in: reads what it is to know from the first line of its input, prints its port, ends with its input.

{"user": …, "databases": ["NAME"], "home": "/a/folder", "s3": {}}
"""

import json
import logging
import os
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from fakesnow.instance import FakeSnow

from standins.snowflake.service.accounts import User
from standins.snowflake.service.sessions import Service
from standins.snowflake.service.stages import Stages
from standins.snowflake.service.web import Handler, World


class Server(ThreadingHTTPServer):
    """A thread per connection; none of them keeps the process alive."""

    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Serve until the input ends: whoever started this is gone then."""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # properties of tables that it drops
    told = json.loads(sys.stdin.readline())
    engine = FakeSnow(create_database_on_connect=False, create_schema_on_connect=False)
    for name in told["databases"]:
        engine.connect().cursor().execute(f"CREATE DATABASE {name}")
    Handler.world = World(Service(engine, Stages(Path(told["home"]), told["s3"])), User(**told["user"]))
    server = Server(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(server.server_port, flush=True)
    while sys.stdin.readline():
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
