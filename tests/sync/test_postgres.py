"""The same sync on PostgreSQL: plan, ledger and jobs are SQL that goes through the dialect."""

from pathlib import Path

import psycopg
from contract.places import postgres as place
from contract.project import Project, Quiet, project
from standins import postgres

from loader import sync
from loader.config import parse
from loader.core.sync_results import SyncResult


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
    text = made.text()
    own = place.settings(server, database, server.user)
    warehouse, rest = text.split("[destinations.tool]", 1)
    del warehouse
    name = own.split("env:", 1)[1].split('"', 1)[0]
    whole = f'[warehouse]\n{own}\n[staging]\nurl = "{made.folder}"\n[destinations.tool]{rest}'
    config = parse(whole, where="loader.toml", environment={name: server.password})
    return sync.sync(config, "vip", resync=False, approve=None, retry=None, progress=Quiet())[-1]
