"""Hand-made answers of the flow, to be printed."""

from datetime import UTC, datetime

from loader.core.results import (
    Check,
    Doctor,
    LoadLine,
    LoadResult,
    PlannedChange,
    PlanResult,
    QuarantineLine,
    RejectLine,
    SourceStatus,
    Status,
    TableLine,
    TableResult,
)

DAY = datetime(2026, 1, 31, 5, tzinfo=UTC)
LATER = datetime(2026, 1, 31, 5, 3, 12, tzinfo=UTC)

CLEAN = LoadResult(
    load_id="3f9a1c52",
    source="web",
    state="done",
    resumed=False,
    replay=False,
    files=20,
    stored_bytes=11_848_909,
    lines=9_950,
    events=10_000,
    rows=9_950,
    duplicates=50,
    filtered=0,
    quarantined=0,
    rejects=0,
    discarded_values=0,
    conserved=True,
    seconds=4.0,
    tables=(TableResult("web.tracks", 9_000, 50, 0.25), TableResult("web.pages", 950, 0, 0.04)),
    changes=("create web.tracks, 41 columns", "create web.pages, 43 columns"),
)
MIXED = LoadResult(
    load_id="77aa0b1e",
    source="app",
    state="loading",
    resumed=True,
    replay=True,
    files=1,
    stored_bytes=900,
    lines=1,
    events=1_234_567,
    rows=1_234_000,
    duplicates=1,
    filtered=500,
    quarantined=66,
    rejects=1,
    discarded_values=7,
    conserved=False,
    seconds=192.0,
    tables=(
        *(TableResult(f"app.event_{number}", 100_000 - number, number, 0.5) for number in range(11)),
        TableResult("app.tracks", 0, 0, 0.0, "out of memory"),
        TableResult("app.late", 0, 0, 0.0, "waits for an earlier load"),
    ),
    changes=(*(f"add app.tracks.column_{number} string" for number in range(11)), "widen app.tracks.total to double"),
    problems=("2026/a\x1b[31m.gz: truncated: the file ends too early", "app.tracks: out of memory"),
)
PLAN = PlanResult(
    source="web",
    files=2,
    stored_bytes=2_000_000,
    loads=1,
    events=1_500,
    tables=(("web.tracks", 1_500), ("web.order_completed", 500), ("web.pages", 1_000)),
    changes=(
        PlannedChange("create", "web.order_completed", None, None, "a.gz:1"),
        PlannedChange("add", "web.order_completed", "total", "integer", "a.gz:1", ("total",)),
        PlannedChange("add", "web.order_completed", "coupon_name", "string", "a.gz:1", ("Coupon Name",)),
        PlannedChange("add", "web.pages", "title", "string", "a.gz:7", ("title",)),
        PlannedChange("widen", "web.pages", "load_ms", "integer to double", "b.gz:12"),
    ),
    renamed=(("web.order_completed", "properties.Coupon Name", "coupon_name"),),
    quarantined=(("not_json", 1_200), ("no_id", 3)),
    rejects=4,
    problems=("c.gz: permission denied",),
)
EMPTY_PLAN = PlanResult("web", 0, 0, 0, 0, (), (), (), (), 0)
STATUS = Status(
    sources=(
        SourceStatus("web", "web", 1_200, 5_000_000, LATER, DAY, 3_780.0, (), None),
        SourceStatus(
            *("app", "mobile", 0, 0, None, None, None),
            open_loads=(("77aa0b1e", "loading", "app.tracks: out of memory"), ("88bb0c2f", "planned", "")),
            lease="process 4711 on worker-1 until 05:13",
        ),
        SourceStatus("shop", "shop", 0, 0, DAY, DAY, 90_000.0, (), None, "folder /data/shop does not exist; create it"),
    ),
    loads=(
        LoadLine("77aa0b1e", "app", "loading", "load", LATER, None, 1, 0, 0, 0, 0, 0, 0, None, "out of memory"),
        LoadLine("3f9a1c52", "web", "done", "replay", DAY, LATER, 20, 10_000, 9_940, 50, 3, 7, 2, True, None),
        LoadLine("0000dead", "web", "done", "load", DAY, LATER, 2, 10, 8, 0, 0, 0, 0, False, None),
    ),
    events=10_010,
    unaccounted=2,
)
TABLES = [
    TableLine("web", "tracks", 1_234_567, LATER, (("id", "string"), ("received_at", "timestamp"))),
    TableLine("web", "empty", 0, None, (("id", "string"),)),
]
REMEDY = "`loader retype web.order_completed total string` keeps them"
REJECTS = [
    RejectLine("web.order_completed", "total", "not a number", 1_200, '"12,50 EUR"', "2026/a.gz", 12, REMEDY),
    RejectLine("web.order_completed", "total", "too large", 1, '{"email":"ana@example.com"}', "2026/b.gz", 3, REMEDY),
]
QUARANTINE = [
    QuarantineLine("web", "3f9a1c52", "2026/a.gz", 12, "not_json", DAY),
    QuarantineLine("app", "77aa0b1e", "2026/b.gz", 0, "truncated", LATER),
]
DOCTOR = Doctor(
    (
        Check("list web", True, "20 files in /data/events/web"),
        Check("write to staging", False, "permission denied", "allow this user to write to /data/staging"),
        Check("write to the warehouse", False, "locked by process 4711"),
    )
)
