"""Loads at once, under both isolations of a database: whoever writes waits for its turn, and nothing comes twice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flow import harness
from standins import redshift, s3
from standins.postgres import Server

from loader.core.results import LoadResult, Window
from loader.load import load
from redshift.project import Place

EVENTS = [
    {
        "type": "track",
        "event": f"Event {number // 2 % 5}",
        "messageId": f"m{number // 2}",
        "userId": "u",
        "receivedAt": f"2026-01-01T05:10:{number % 60:02}Z",
        "properties": {"number": number},
    }
    for number in range(120)
]


@pytest.mark.parametrize("isolation", ["serializable", "snapshot"])
def test_loads_of_one_and_of_two_sources_at_once(
    isolation: str, postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3.serve() as endpoint, redshift.serve(postgres_server.dsn(), s3=endpoint, isolation=isolation) as cluster:
        place = Place(cluster, endpoint)
        place.tell(monkeypatch)
        other = f'[sources.app]\nurl = "events"\nlayout = "{harness.LAYOUT}"'
        config = place.project(tmp_path, source=other)
        for name in ("a", "b", "c"):
            harness.put(config, f"{name}.gz", harness.lines(*EVENTS))

        def one(source: str) -> list[LoadResult]:
            return load(config, source, window=Window(), replay=False, progress=harness.Silent())

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(one, ["web", "app", "web", "app"]))
        assert sorted(len(each) for each in results) == [0, 0, 1, 1]
        for schema in ("web", "app"):
            assert place.query(f"SELECT count(*), count(DISTINCT id) FROM {schema}.tracks") == [(60, 60)]
        assert place.query("SELECT sum(rows), sum(duplicates), sum(unaccounted) FROM loader.conservation") == [
            (120, 600, 0)
        ]
        assert place.left() == []
