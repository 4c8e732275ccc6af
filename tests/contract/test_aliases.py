"""Properties and traits that have the names which our own statements give to tables and columns."""

from flow.harness import lines, put, run

from contract import reading
from contract.conftest import Project
from contract.test_warehouse import event, identify, own
from loader.load import retype

# All of core/merge.py, load/restoring.py and load/retyping.py; what a table is called there is a row of it in BigQuery.
NAMES = (
    *("source", "content", "place", "turn", "keys", "twice", "repeated", "people", "turns", "valued", "t", "newest"),
    *("left_out", "value", "stored", "held", "row_id", "file", "line", "h", "r", "b", "e", "l", "s", "x", "p", "kind"),
    *("days", "day", "name", "load", "row", "hash", "new", "count", "rejects", "loads", "min", "max", "coalesce"),
)


def test_columns_may_be_called_as_anything_is_in_our_statements(make: Project) -> None:
    config = make()
    named = {name: number for number, name in enumerate(NAMES)}
    changed = {name: -1 - number for number, name in enumerate(NAMES)}
    put(config, "a.gz", lines(identify(1, "u", **named), identify(1, "u", **named), identify(2, "v", **named)))
    put(config, "b.gz", lines(*(event(number, **named) for number in (1, 2, 2)), event(3, "t", **named)))
    run(config)
    put(config, "c.gz", lines(identify(3, "u", **changed), identify(1, "u", **named), event(4, **changed)))
    put(config, "d.gz", lines(event(5, turn="x", value="y")))
    [result] = run(config)
    assert (result.state, result.rows, result.duplicates, result.rejects) == ("done", 3, 1, 2)
    assert [{name: row[name] for name in NAMES} for row in reading.table(config, "users")] == [changed, named]
    assert own(reading.table(config, "order_completed")) == [named, named, changed, {}]
    assert own(reading.table(config, "t")) == [named]
    assert retype(config, "web.order_completed", "value", "string").restored == 1
    assert own(reading.table(config, "order_completed"))[3] == {"value": "y"}
    retype(config, "web.identifies", "turn", "double")
    assert [row["turn"] for row in reading.table(config, "users")] == [(-4.0).hex(), (3.0).hex()]
