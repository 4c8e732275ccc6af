"""What a load cost, as Redshift's own views tell it; where they do not, as we measured it.

The stand-in says of every statement that it took a quarter of a second, and of those that read that they scanned 1 MiB.
"""

from pathlib import Path

import pytest
from flow import harness

from loader.core.results import LoadResult
from redshift.project import Place

_COSTS = "SELECT table_name, statements, scanned_bytes, server_seconds FROM loader.load_tables ORDER BY 1"
MIB = 1 << 20


def loaded(place: Place, folder: Path, **more: str) -> LoadResult:
    config = place.project(folder, **more)
    harness.put(config, "a.gz", harness.lines(harness.track(), harness.track("Left")))
    [result] = harness.run(config)
    assert result.conserved
    return result


@pytest.mark.parametrize("driver", ["redshift_connector", "psycopg"])
def test_the_ledger_has_what_redshift_says(driver: str, place: Place, tmp_path: Path) -> None:
    loaded(place, tmp_path, driver=f'"{driver}"')
    assert place.query(_COSTS) == [
        ("left", 3, 3 * MIB, 0.75),  # two queries about lengths, and the insert
        ("order_completed", 3, 3 * MIB, 0.75),
        ("tracks", 18, 6 * MIB, 4.5),  # also two COPYs and a union, whose staging tables the others read again
    ]
    asked = [each for each in place.cluster.log.statements if "sys_query_history" in each]
    assert len(asked) == 1


def test_views_that_cannot_be_read_leave_what_was_measured(place: Place, tmp_path: Path) -> None:
    place.change("ALTER TABLE public.sys_query_history RENAME TO hidden")
    try:
        loaded(place, tmp_path)
    finally:
        place.change("ALTER TABLE public.hidden RENAME TO sys_query_history")
    for _, statements, scanned, seconds in place.query(_COSTS):
        assert scanned is None
        assert 0 < seconds < statements * 0.25
