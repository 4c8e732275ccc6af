"""SQL models: made, checked, asked for after loads, and written for every warehouse."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from pkgutil import iter_modules

import dagster as dg
import pytest
import sqlglot
from contract.places import postgres as places
from flow import harness
from standins import postgres

from dagster_project.resources import Loader
from loader import warehouses
from loader.config import Config
from loader.core.model import parse
from loader.errors import ConfigError
from loader.load.edges import connected
from loader.load.modelling import make, models, translated
from ui.running import START, definitions, failure, materialized, remembering

FIVE, SIX = "2026-01-01-05:00", "2026-01-01-06:00"
ORDER = ("sessions", "daily_active_users", "users_overview")  # each after what it is made of
VISITS = (("a", "05:00"), ("a", "05:20"), ("a", "05:51"), ("b", "05:10"))


@pytest.fixture
def web(project: Callable[..., Config]) -> Config:
    """Events of two people in two hours, one of whom comes twice; not loaded yet."""
    return filled(project(source=START))


def filled(config: Config) -> Config:
    """Write the events of the visits."""
    for number, (person, at) in enumerate(VISITS):
        event = harness.track(userId=person, receivedAt=f"2026-01-01T{at}:00Z", properties={"total": number})
        harness.put(config, f"{number}.jsonl", harness.lines(event))
    return config


def test_models_are_tables_that_pass_their_checks(web: Config) -> None:
    keys = ("web/models/sessions", "web/models/daily_active_users", "web/models/users_overview")
    assert "which 'web' does not have yet" in failure(materialized_unpartitioned(web, keys[1:2]))
    materialized(web, FIVE)
    result = materialized_unpartitioned(web, keys)
    assert result.success
    assert all(each.passed for each in result.get_asset_check_evaluations())
    assert harness.query(web, "SELECT person, events FROM web_models.sessions ORDER BY started_at") == [
        ("a", 2),
        ("b", 1),
        ("a", 1),
    ]
    assert harness.query(web, "SELECT CAST(day AS VARCHAR), people, events FROM web_models.daily_active_users") == [
        ("2026-01-01", 2, 4)
    ]
    assert harness.query(web, "SELECT person, events, sessions FROM web_models.users_overview ORDER BY 1") == [
        ("a", 3, 2),
        ("b", 1, 1),
    ]


def materialized_unpartitioned(config: Config, keys: tuple[str, ...]) -> dg.ExecuteInProcessResult:
    """Materialize assets without partitions."""
    assets = [each for each in definitions(config).assets or () if isinstance(each, dg.AssetsDefinition)]
    chosen = [each for each in assets if {key.to_user_string() for key in each.keys} & set(keys)]
    resources = {"loader": Loader(config.base / "loader.toml")}
    return dg.materialize(chosen, resources=resources, raise_on_error=False, instance=remembering())


def test_a_model_made_twice_is_the_same_and_one_with_other_columns_is_made_anew(web: Config) -> None:
    harness.run(web)
    (sessions,) = [model for model in models(web) if model.key == "sessions"]
    assert make(web, "web", sessions).rows == make(web, "web", sessions).rows == 3
    other = parse("-- key: sessions\n-- checks: unique(one)\nSELECT 1 AS one UNION ALL SELECT 1", where="other.sql")
    made = make(web, "web", other)
    assert (made.columns, made.broken) == ((("one", "string"),), (("one_is_unique", 1),))


def test_a_persons_own_model_joins_ours(web: Config) -> None:
    folder = web.base / "sql" / "models"
    folder.mkdir(parents=True)
    (folder / "mine.sql").write_text(
        "-- key: mine\n-- deps: tracks\n-- All of it.\nSELECT count(*) AS n FROM {schema}.tracks\n"
    )
    keys = {spec.key.to_user_string() for spec in definitions(web).resolve_all_asset_specs()}
    assert {"web/models/mine", "web/models/sessions"} <= keys


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1", "needs a line `-- key: name`"),
        ("-- key: One Two\nSELECT 1", "needs a line `-- key: name`"),
        ("-- key: one", "no query below the header"),
        ("-- key: one\n-- checks: nice(x)\nSELECT 1", "'nice(x)' is no check"),
    ],
)
def test_a_wrong_header_says_what_it_lacks(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.sql") as error:
        parse(text, where="model.sql")
    assert said in str(error.value)


@pytest.mark.parametrize("dialect", sorted(each.name for each in iter_modules(warehouses.__path__)))
def test_our_models_can_be_written_for_every_warehouse(web: Config, dialect: str) -> None:
    for model in models(web):
        written = translated(model.query("web"), dialect)
        assert sqlglot.parse_one(written, read={"lake": "duckdb"}.get(dialect, dialect))
        assert dialect in ("duckdb", "lake") or "date_diff('second'" not in written


def on_postgres(server: postgres.Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TEST_POSTGRES_PASSWORD", server.password)
    return places.settings(server, places.fresh(server), server.user)


@pytest.mark.parametrize("kind", ["postgres", "lake"])
def test_our_models_say_the_same_on_other_warehouses(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = 'kind = "lake"\n'
    if kind == "postgres":
        settings = on_postgres(request.getfixturevalue("postgres_server"), monkeypatch)
    config = filled(harness.project(tmp_path, source=f"[warehouse]\n{settings}\n{START}"))
    harness.run(config)
    for _ in range(2):  # the second time the tables are there
        found = [make(config, "web", model) for key in ORDER for model in models(config) if model.key == key]
        assert [(each.table, each.rows) for each in found] == [
            ("web_models.sessions", 3),
            ("web_models.daily_active_users", 1),
            ("web_models.users_overview", 2),
        ]
        assert [each for made in found for each in made.broken if each[1]] == []
    with connected(config, read_only=True) as opened, opened.session() as session:
        seen = session.execute('SELECT person, events FROM "web_models"."sessions" ORDER BY started_at')
        assert [tuple(each) for each in seen] == [("a", 2), ("b", 1), ("a", 1)]
        seen = session.execute('SELECT person, events, sessions FROM "web_models"."users_overview" ORDER BY person')
        assert [tuple(each) for each in seen] == [("a", 3, 2), ("b", 1, 1)]


@pytest.mark.filterwarnings("ignore:.*include_sources")  # of Dagster's own test tool
def test_models_are_asked_for_after_loads_at_a_bounded_rate(web: Config) -> None:
    defs, key = definitions(web), dg.AssetKey(["web", "models", "daily_active_users"])
    with dg.DagsterInstance.ephemeral() as instance:
        at = datetime(2026, 1, 1, 5, 1, tzinfo=UTC)
        first = dg.evaluate_automation_conditions(defs=defs, instance=instance, evaluation_time=at)
        materialized(web, FIVE, instance=instance)
        between = dg.evaluate_automation_conditions(
            defs=defs, instance=instance, cursor=first.cursor, evaluation_time=at.replace(minute=5)
        )
        after = dg.evaluate_automation_conditions(
            defs=defs, instance=instance, cursor=between.cursor, evaluation_time=at.replace(minute=16)
        )
        idle = dg.evaluate_automation_conditions(
            defs=defs, instance=instance, cursor=after.cursor, evaluation_time=at.replace(minute=31)
        )
    assert [each.get_num_requested(key) for each in (first, between, after, idle)] == [0, 0, 1, 0]
