"""Row keys name a place and sort by it; a block's lines go to tables, and none is lost."""

from collections.abc import Callable

import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loader.core import scanning
from loader.core.places import MAX_FILES, place, row_key
from loader.core.policy import Known, Policy, Selection
from loader.core.routes import Routes
from loader.core.routing import Routed, Router

NEEDS_SCANNER = pytest.mark.skipif(not scanning.COMPILED, reason="the scanner was not compiled")
PLACES = st.tuples(st.integers(0, MAX_FILES - 1), st.integers(0, 2**27 - 1), st.integers(0, 2**20 - 1))


@given(PLACES)
def test_a_row_key_gives_its_place_back(where: tuple[int, int, int]) -> None:
    assert place(row_key(*where)) == where


@given(PLACES, PLACES)
def test_row_keys_sort_by_file_line_and_element(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    assert (row_key(*one) < row_key(*other)) is (one < other)


def test_the_last_row_key_fits_64_bits() -> None:
    assert row_key(MAX_FILES - 1, 2**27 - 1, 2**20 - 1) == 2**63 - 1


def event(kind: str, **keys: str) -> bytes:
    pairs = {"type": kind, "userId": "u", "messageId": "m", **keys}
    return ("{" + ",".join(f'"{key}":"{value}"' for key, value in pairs.items()) + "}\n").encode()


@pytest.fixture(params=[False, pytest.param(True, marks=NEEDS_SCANNER)], ids=["Arrow", "compiled"])
def router(request: pytest.FixtureRequest) -> Callable[..., Router]:
    return lambda known, policy: Router(Routes(known, policy), compiled=request.param)


Tables = dict[str, list[tuple[int, int, int]]]


def routed(router: Router, block: bytes) -> tuple[Routed, Tables]:
    """Return what became of a block's lines, and the places of the rows of each table."""
    [found] = router.route(block, 3, 10)
    tables: Tables = {}
    for route, batch in [*found.batches, *found.odd]:
        tables.setdefault(route.table, []).extend(place(int(key)) for key in batch.keys)
    for table in router.tables:
        if rows := router.taken(table):
            tables.setdefault(table, []).extend(place(int(key)) for key in rows.keys)
    return found, {table: sorted(places) for table, places in tables.items()}


def test_lines_go_to_the_tables_of_their_calls_and_events(router: Callable[..., Router]) -> None:
    block = (
        event("track", event="Order Completed")
        + b"\n"
        + event("page")
        + event("Track", event="orderCompleted")
        + b" "
        + event("identify")
        + event("track", event="tracks")
    )
    found, tables = routed(router(Known(), Policy()), block)
    assert tables == {
        "order_completed": [(3, 10, 0), (3, 13, 0)],
        "pages": [(3, 12, 0)],
        "_tracks": [(3, 15, 0)],
        "identifies": [(3, 14, 0)],
    }
    assert (found.lines, found.events, found.quarantined) == (5, 5, [])


def test_events_of_an_envelope_have_places_of_their_own(router: Callable[..., Router]) -> None:
    found, tables = routed(
        router(Known(), Policy()), b'{"batch":[{"type":"page","userId":"u"},7,{"type":"screen","userId":"u"}]}\n'
    )
    assert tables == {"pages": [(3, 10, 0)], "screens": [(3, 10, 2)]}
    assert [(place(key), reason) for key, reason in found.quarantined] == [((3, 10, 1), "not_object")]
    assert (found.lines, found.events) == (1, 3)


def test_an_event_without_an_id_gets_the_hash_of_its_line(router: Callable[..., Router]) -> None:
    line = b'{"type":"page","userId":"u"}'
    envelope = b'{"batch":[{"type":"page","userId":"u"},{"type":"page","userId":"u"}]}'
    found, _ = routed(router(Known(), Policy()), line + b"\r\n" + envelope + b"\n")
    assert {place(key): name for key, name in found.ids.items()} == {
        (3, 10, 0): "h_" + xxhash.xxh3_128_hexdigest(line),
        (3, 11, 0): "h_" + xxhash.xxh3_128_hexdigest(envelope + b"#0"),
        (3, 11, 1): "h_" + xxhash.xxh3_128_hexdigest(envelope + b"#1"),
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{" + b" " * 200 + b"}", "line_too_long"),
        (b'{"a":"\xff"}', "invalid_utf8"),
        (b"\xff", "invalid_utf8"),
        (b"oops", "not_json"),
        (b"[]", "not_object"),
        (b"{}{}", "not_json"),
        (b'{"type":"click"}', "unknown_type"),
    ],
)
def test_a_bad_line_is_quarantined_and_its_neighbours_are_not(
    line: bytes, reason: str, router: Callable[..., Router]
) -> None:
    short = router(Known(), Policy(max_line_bytes=100))
    found, tables = routed(short, event("page") + line + b"\n" + event("page"))
    assert [(place(key), why) for key, why in found.quarantined] == [((3, 11, 0), reason)]
    assert tables == {"pages": [(3, 10, 0), (3, 12, 0)]}


PIECES = [event("page"), event("track", event="a"), b"{}\n", b"\n", b"[]\n", b" {} \n", b"{}{}\n", b'{"batch":[]}\n']


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the fixture makes a router for each example
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8))
def test_every_line_is_a_row_filtered_or_quarantined(router: Callable[..., Router], lines: list[bytes]) -> None:
    found, tables = routed(router(Known(), Policy(events=Selection(exclude=("page",)))), b"".join(lines))
    rows = sum(map(len, tables.values()))
    assert found.lines == found.events == sum(line != b"\n" for line in lines)
    assert rows + found.filtered + len(found.quarantined) == found.events
    assert found.filtered == lines.count(event("page"))


@pytest.mark.parametrize(("evolve", "filtered", "reasons"), [("freeze", 0, ["table_frozen"]), ("discard", 1, [])])
def test_a_frozen_source_takes_no_new_tables(
    evolve: str, filtered: int, reasons: list[str], router: Callable[..., Router]
) -> None:
    policy = Policy(evolve="freeze" if evolve == "freeze" else "discard")
    known = Known({"tracks": {}, "tapped": {}})
    block = event("track", event="tapped") + event("track", event="swiped")
    found, tables = routed(router(known, policy), block)
    assert tables == {"tapped": [(3, 10, 0)]}
    assert (found.filtered, [reason for _, reason in found.quarantined]) == (filtered, reasons)
