"""What a person asks: how the sources stand, what is there, what was set aside. No answer writes anything."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from flow.harness import (
    Silent,
    database,
    lines,
    put,
    run,
    track,
)
from loader.config import Config
from loader.core.results import QuarantineLine, TableLine
from loader.errors import ConfigError
from loader.load import quarantine, quarantine_text, rejects, status, tables
from loader.load.edges import open_edges
from loader.load.leasing import leased

Project = Callable[..., Config]
A = "2026-01-01/05/a.gz"
RECEIVED_AT = datetime(2026, 1, 1, 5, 10, tzinfo=UTC)
TRACK = {
    **dict.fromkeys(("id",), "string"),
    **dict.fromkeys(("received_at", "sent_at", "original_timestamp", "timestamp"), "timestamp"),
    **dict.fromkeys(("anonymous_id", "user_id", "event", "event_text"), "string"),
    "loaded_at": "timestamp",
    "load_id": "string",
}


def order(number: int, **properties: object) -> dict[str, object]:
    return track("Order Completed", messageId=f"m{number}", properties=properties)


def test_before_the_first_load_everything_waits(project: Project) -> None:
    config = project()
    size = put(config, "a.gz", lines(order(1))).stat().st_size
    found = status(config)
    [source] = found.sources
    assert (source.pending_files, source.pending_bytes) == (1, size)
    assert (source.last_load_at, source.newest_received_at, source.lag_seconds) == (None, None, None)
    assert (found.loads, found.events, found.unaccounted, tables(config)) == ((), 0, 0, [])
    assert not Path(database(config)).exists()
    assert not Path(config.staging.url).exists()


def test_after_a_load_nothing_waits_and_every_event_is_accounted_for(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(order(1), order(1), "not json"))
    [result] = run(config)
    found = status(config)
    [source] = found.sources
    assert (source.pending_files, source.newest_received_at, source.open_loads, source.lease) == (
        0,
        RECEIVED_AT,
        (),
        None,
    )
    assert source.lag_seconds is not None
    assert source.lag_seconds > 0
    [load] = found.loads
    assert (load.load_id, load.state, load.kind, load.conserved) == (result.load_id, "done", "load", True)
    assert (load.events, load.rows, load.duplicates, load.quarantined) == (3, 1, 1, 1)
    assert source.last_load_at == load.finished_at
    assert (found.events, found.unaccounted) == (3, 0)


def test_status_names_open_loads_and_who_is_at_work(project: Project) -> None:
    config = project()
    refusing_table(config)
    put(config, "a.gz", lines(order(1)))
    [result] = run(config)
    with leased(open_edges(config, "web"), Silent()):
        [source] = status(config).sources
    [(load_id, state, error)] = source.open_loads
    assert (load_id, state) == (result.load_id, "loading")
    assert error.startswith("web.order_completed: ")
    assert source.lease is not None
    assert source.lease.startswith("process ")


def test_a_source_that_cannot_be_listed_is_shown_with_its_problem_beside_the_others(project: Project) -> None:
    config = project(source='[sources.gone]\nurl = "gone"\nlayout = "{yyyy}/{mm}/{dd}/{hh}/"')
    put(config, "a.gz", lines(order(1)))
    run(config)
    put(config, "b.gz", lines(order(2)))
    web, gone = status(config).sources
    assert (web.pending_files, web.problem) == (1, "")
    assert (gone.source, gone.pending_files, gone.last_load_at) == ("gone", 0, None)
    assert gone.problem == f"folder {config.base / 'gone'} does not exist; create it, or correct the url in loader.toml"


def refusing_table(config: Config) -> None:
    """Make a table that takes no row of ours."""
    with duckdb.connect(database(config)) as connection:
        connection.execute("CREATE SCHEMA web; CREATE TABLE web.order_completed (id INTEGER, event_text VARCHAR)")


def test_a_warehouse_that_the_loader_never_wrote_to_can_be_asked(project: Project) -> None:
    config = project()
    refusing_table(config)
    assert status(config).loads == ()
    assert [each.table for each in tables(config)] == ["order_completed"]
    assert (rejects(config, limit=5), quarantine(config, limit=5)) == ([], [])


def test_tables_have_exact_rows_the_newest_event_and_their_columns(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(order(1, total=1), order(2), track("Other", receivedAt="2026-01-01T05:59:00Z")))
    run(config)
    later = datetime(2026, 1, 1, 5, 59, tzinfo=UTC)
    assert tables(config) == [
        TableLine("web", "order_completed", 2, RECEIVED_AT, (*TRACK.items(), ("total", "integer"))),
        TableLine("web", "other", 1, later, tuple(TRACK.items())),
        TableLine("web", "tracks", 3, later, tuple(TRACK.items())),
    ]


def rejected(config: Config) -> None:
    put(config, "a.gz", lines(order(1, total=1, paid=True)))
    run(config)
    put(
        config,
        "b.gz",
        lines(order(2, total="a"), order(3, total="b", paid=0), '{"messageId": 3}', track("Other", sentAt="x")),
    )
    run(config)


def test_rejects_are_told_by_column_and_reason_with_the_first_and_a_remedy(project: Project) -> None:
    config = project()
    rejected(config)
    found = [
        (each.table, each.column, each.reason, each.count, each.sample, each.line) for each in rejects(config, limit=9)
    ]
    assert found == [
        ("web.order_completed", "total", "not_integer", 2, '"a"', 1),
        ("web.order_completed", "paid", "not_boolean", 1, "0", 2),
        ("web.other", "sent_at", "not_timestamp", 1, '"x"', 4),
    ]
    assert [each.remedy for each in rejects(config, limit=9)] == [
        "`loader retype web.order_completed total string` puts them back",
        "`loader retype web.order_completed paid string` puts them back",
        "sent_at must be an ISO 8601 timestamp; correct it where the events are sent",
    ]
    assert len(rejects(config, limit=2)) == 2
    assert [each.column for each in rejects(config, source="web", table="web.other", limit=9)] == ["sent_at"]
    with pytest.raises(ConfigError, match=r"there is no table 'web.othre' \(did you mean 'other'\?\)"):
        rejects(config, table="web.othre", limit=9)


def test_a_quarantined_line_is_read_back_from_its_file(project: Project) -> None:
    config = project()
    text = lines(order(1), "", " not json \r", b"caf\xe9", '{"type": "track"}')
    path = put(config, "a.gz", text)
    [result] = run(config)
    found = quarantine(config, limit=9)
    assert [(each.source, each.load_id, each.file, each.line, each.reason) for each in found] == [
        ("web", result.load_id, A, 3, "not_json"),
        ("web", result.load_id, A, 4, "invalid_utf8"),
        ("web", result.load_id, A, 5, "missing_event"),
    ]
    assert [quarantine_text(config, each) for each in found] == ["not json", "caf\\xe9", '{"type": "track"}']
    assert [each.line for each in quarantine(config, source="web", limit=2)] == [3, 4]
    path.write_bytes(gzip.compress(text + b"more"))
    assert quarantine_text(config, found[0]) is None
    path.unlink()
    assert quarantine_text(config, found[0]) is None


def test_a_file_that_is_quarantined_whole_has_no_text(project: Project) -> None:
    config = project()
    whole = put(config, "a.gz", lines(order(1), order(2))).read_bytes()
    put(config, "a.gz", whole[:-9], packed=False)
    run(config)
    [line] = quarantine(config, limit=9)
    assert (line.file, line.line, line.reason) == (A, 0, "truncated_gzip")
    assert quarantine_text(config, line) is None
    gone = QuarantineLine("web", "no such load", A, 1, "not_json", RECEIVED_AT)
    assert quarantine_text(config, gone) is None
