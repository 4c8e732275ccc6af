"""`plan`: says what a load would do, and does nothing."""

import os
from collections.abc import Callable
from pathlib import Path

from flow.harness import Silent, lines, put, query, run, track
from loader.config import Config
from loader.core.results import PlannedChange, PlanResult, Window
from loader.load import plan

Project = Callable[..., Config]
A, B = "2026-01-01/05/a.gz", "2026-01-01/05/b.gz"


def planned(config: Config) -> PlanResult:
    return plan(config, "web", window=Window(), progress=Silent())


def everything(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    found = (Path(above) / name for above, _, names in os.walk(folder) for name in names)
    return {str(path): path.read_bytes() for path in found}


def order(number: int, **properties: object) -> dict[str, object]:
    return track("Order Completed", messageId=f"m{number}", properties=properties)


def sentences(config: Config) -> list[tuple[str, str, str | None]]:
    """Return what the plan would change in tables that are there, and the tables it would create."""
    found = planned(config).changes
    created = {each.table for each in found if each.kind == "create"}
    return [
        (each.kind, each.table, each.column) for each in found if each.kind == "create" or each.table not in created
    ]


def test_a_plan_names_tables_columns_causes_renamings_and_what_is_set_aside(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(order(1, total=1), "not json", order(2, **{"Coupon Name": "x"}), order(2)))
    found = planned(config)
    assert (found.source, found.files, found.loads, found.events, found.rejects) == ("web", 1, 1, 4, 0)
    assert found.tables == (("web.order_completed", 3), ("web.tracks", 3))
    assert found.quarantined == (("not_json", 1),)
    assert found.renamed == (("web.order_completed", "properties.Coupon Name", "coupon_name"),)
    assert found.changes == (
        PlannedChange("create", "web.tracks", None, None, f"{A}:1"),
        PlannedChange("create", "web.order_completed", None, None, f"{A}:1"),
        PlannedChange("add", "web.order_completed", "coupon_name", "string", f"{A}:3", ("properties.Coupon Name",)),
        PlannedChange("add", "web.order_completed", "total", "integer", f"{A}:1", ("properties.total",)),
    )
    assert found.problems == ()


def test_a_plan_counts_rejects_and_names_the_line_that_widens(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(order(1, total=1, paid=True)))
    run(config)
    put(config, "b.gz", lines(order(2, total=2), order(3, total=2.5), order(4, paid="perhaps"), order(5, paid="no")))
    found = planned(config)
    assert found.changes == (PlannedChange("widen", "web.order_completed", "total", "integer to double", f"{B}:2"),)
    assert (found.files, found.rejects) == (1, 2)


def test_users_follow_identifies_for_the_same_cause(project: Project) -> None:
    config = project()
    call = {"type": "identify", "userId": "u", "messageId": "i", "receivedAt": "2026-01-01T05:00:00Z"}
    put(config, "a.gz", lines(call, {**call, "messageId": "j", "traits": {"plan": "free"}}))
    assert [each for each in planned(config).changes if each.table == "web.users"] == [
        PlannedChange("create", "web.users", None, None, f"{A}:1"),
        PlannedChange("add", "web.users", "plan", "string", f"{A}:2", ("traits.plan",)),
    ]


def test_a_plan_of_several_loads_changes_everything_once(project: Project) -> None:
    config = project(load='workers = 1\nmax_load_bytes = "200B"\nshard_bytes = "200B"')
    put(config, "a.gz", lines(order(1, total=1)))
    put(config, "b.gz", lines(order(2, total=2, coupon="x"), track("Other")))
    found = planned(config)
    assert found.loads == 2
    assert [each.table for each in found.changes if each.kind == "create"] == [
        *("web.tracks", "web.order_completed", "web.other")
    ]
    assert [(each.column, each.cause) for each in found.changes if each.kind == "add"] == [
        *(("total", f"{A}:1"), ("coupon", f"{B}:1"))
    ]


def test_a_load_does_what_its_plan_said(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(order(1, total=1), track("Other", context={"ip": "1.1.1.1"})))
    run(config)
    put(
        config,
        "b.gz",
        lines(order(2, total=0.5, when="2026-01-01"), track("Third", context={"os": "x"}), order(3, a=[])),
    )
    said = sentences(config)
    assert said
    [result] = run(config)
    done = [each.split(",")[0].split(" from ")[0].split() for each in result.changes]
    assert [[kind, f"{table}.{column}" if column else table] for kind, table, column in said] == [
        [words[0], words[1]] for words in done
    ]


def test_a_plan_writes_nothing_where_nothing_is_yet(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(order(1)))
    before = everything(config.base)
    assert planned(config) == planned(config)
    assert everything(config.base) == before
    assert sorted(path.name for path in config.base.iterdir()) == ["events", "loader.toml"]


def test_a_plan_leaves_a_warehouse_as_it_is(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(order(1)))
    run(config)
    put(config, "b.gz", lines(order(2, total=1)))
    before = everything(config.base)
    assert planned(config).files == 1
    assert everything(config.base) == before
    assert query(config, "SELECT count(*) FROM loader.leases") == [(0,)]


def test_a_plan_names_files_that_cannot_be_read_and_files_that_follow_no_layout(project: Project) -> None:
    config = project()
    whole = put(config, "a.gz", lines(order(1), order(2))).read_bytes()
    put(config, "a.gz", whole[:-9], packed=False)
    put(config, "elsewhere/b.gz", lines(order(3)))
    stray, damaged = planned(config).problems
    assert stray.startswith("1 files do not follow the layout and are not loaded, for example 'elsewhere/b.gz'")
    assert damaged.startswith(f"{A}: truncated_gzip: ")


def test_nothing_new_is_an_empty_plan(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(order(1)))
    run(config)
    assert planned(config) == PlanResult("web", 0, 0, 0, 0, (), (), (), (), 0)
