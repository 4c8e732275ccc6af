"""The same sync on PostgreSQL: plan, ledger and jobs are SQL that goes through the dialect."""

from pathlib import Path

import psycopg
from contract.places import postgres as place
from contract.project import Project, Quiet, project
from standins import postgres

from loader import sync
from loader.config import Config, parse
from loader.core.sync_results import SyncResult
from loader.core.warehouse import Session
from loader.sync.edges import open_edges


def test_the_tool_follows_the_audience_on_postgres_too(tmp_path: Path, postgres_server: postgres.Server) -> None:
    database = place.fresh(postgres_server)
    with project("segment", tmp_path, table="public.people", holdout="10%", refresh_days=30) as made:

        def audience(numbers: range) -> None:
            with psycopg.connect(postgres_server.dsn(database), autocommit=True) as connection:
                connection.execute("DROP TABLE IF EXISTS public.people")
                connection.execute('CREATE TABLE public.people (id text, "user" text, email text, plan text)')
                for row in made.people(numbers):
                    connection.execute("INSERT INTO public.people VALUES (%s, %s, %s, %s)", list(row.values()))

        audience(range(20))
        first = run(made, postgres_server, database)
        assert first.state == "success", first
        assert first.confirmed + first.held_out == 20
        assert 0 < first.held_out < 10
        assert run(made, postgres_server, database).adds == 0
        audience(range(5, 20))
        left = run(made, postgres_server, database)
        assert left.removed == left.removes > 0
        assert sum(person["vip"] for person in made.server.fake.held().values()) == first.confirmed - left.removed


def run(made: Project, server: postgres.Server, database: str) -> SyncResult:
    config = written(made, server, database)
    return sync.sync(config, "vip", resync=False, approve=None, retry=None, progress=Quiet())[-1]


def written(made: Project, server: postgres.Server, database: str) -> Config:
    own = place.settings(server, database, server.user)
    name = own.split("env:", 1)[1].split('"', 1)[0]
    _, rest = made.text().split("[destinations.tool]", 1)
    whole = f'[warehouse]\n{own}\n[staging]\nurl = "{made.folder}"\n[destinations.tool]{rest}'
    return parse(whole, where="loader.toml", environment={name: server.password})


def test_work_whose_connection_breaks_is_done_again(tmp_path: Path, postgres_server: postgres.Server) -> None:
    tries: list[str] = []

    def work(inside: Session) -> object:
        tries.append("SELECT pg_terminate_backend(pg_backend_pid())" if not tries else "SELECT 'done'")
        return inside.execute(tries[-1])

    with project("webhook", tmp_path, table="public.people") as made:
        door = open_edges(written(made, postgres_server, place.fresh(postgres_server)), "vip").door
        assert door.run(work) == [("done",)]
        assert len(tries) == 2
        door.close()
