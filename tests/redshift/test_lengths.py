"""VARCHARs grow with their values, up to what Redshift holds; what is longer is rejected, and the row is loaded."""

import json
from pathlib import Path
from typing import Any

from flow import harness

from loader.load import retype
from redshift.project import Place


def track(**properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Wrote",
        "messageId": properties.pop("id"),
        "userId": properties.pop("user", "u"),
        "receivedAt": "2026-01-01T05:10:00Z",
        "properties": properties,
    }


LARGE = [["x" * 1000] * 70]  # 70 KB of json, of small texts


EVENTS = (
    track(id="short", text="a", note="é" * 200),
    track(id="full", text="b" * 65_535),
    track(id="over", text="c" * 65_536, note="kept"),
    track(id="mega", text="d" * 1_000_000),
    track(id="json", data=LARGE),
    track(id="deep", data=[{"t": "e" * 65_536}]),
    track(id="i" * 70_000, text="its id is too long"),
    track(id="who", text="f", user="u" * 300),
)


def test_texts_get_room_and_what_no_room_is_for_is_rejected(place: Place, tmp_path: Path) -> None:
    config = place.project(tmp_path)
    harness.put(config, "a.json.gz", harness.lines(*EVENTS))
    [result] = harness.run(config)
    assert (result.conserved, result.rows, result.rejects) == (True, 8, 4)
    rows = {row["id"]: row for row in place.rows("wrote")}
    [hashed] = [row for row in rows if len(row) == 64]
    assert {row: len(rows[row]["text"] or "") for row in rows} == {
        "short": 1,
        "full": 65_535,
        "over": 0,
        "mega": 0,
        "json": 0,
        "deep": 0,
        hashed: 18,
        "who": 1,
    }
    assert (rows["json"]["data"], rows["deep"]["data"], rows["over"]["note"]) == (LARGE, None, "kept")
    assert place.left() == []
    assert place.lengths("wrote").items() >= {"text": 65_535, "note": 1024, "user_id": 1024, "event": 256}.items()
    assert place.lengths("tracks")["user_id"] == 1024
    found = [(row, column, reason, value[:2], len(value.encode())) for row, column, reason, value in place.rejects()]
    assert found == sorted(
        [
            ("deep", "data", "too_long", "[{", 65_535),
            ("mega", "text", "too_long", '"d', 65_535),
            ("over", "text", "too_long", '"c', 65_535),
            (hashed, "id", "too_long", '"i', 65_535),
        ]
    )


def test_a_longer_text_later_makes_its_column_longer_once(place: Place, tmp_path: Path) -> None:
    config = place.project(tmp_path)
    for name, size in (("a", 10), ("b", 400), ("c", 700), ("d", 2000)):
        harness.put(config, f"{name}.json.gz", harness.lines(track(id=name, text="x" * size)))
        assert harness.run(config)[0].conserved
    assert place.lengths("wrote")["text"] == 4096
    altered = [each for each in place.cluster.log.statements if "TYPE VARCHAR" in each and '"text"' in each]
    assert [each.rsplit("TYPE ", 1)[1] for each in altered] == ["VARCHAR ( 1024 )", "VARCHAR ( 4096 )"]
    assert sorted(len(row["text"]) for row in place.rows("wrote")) == [10, 400, 700, 2000]


def test_columns_change_their_type_by_a_new_column_and_keep_all_values(place: Place, tmp_path: Path) -> None:
    config = place.project(tmp_path)
    harness.put(config, "a.json.gz", harness.lines(track(id="a", total=1), track(id="b", total=None)))
    harness.run(config)
    harness.put(config, "b.json.gz", harness.lines(track(id="c", total=2.5), track(id="d", total="many")))
    harness.run(config)
    assert {row["id"]: row["total"] for row in place.rows("wrote")} == {"a": 1.0, "b": None, "c": 2.5, "d": None}
    assert place.rejects() == [("d", "total", "not_double", json.dumps("many"))]
    done = retype(config, "web.wrote", "total", "string")
    assert (done.restored, done.left) == (1, 0)
    assert {row["id"]: row["total"] for row in place.rows("wrote")} == {"a": "1", "b": None, "c": "2.5", "d": "many"}
    assert [name for name in place.lengths("wrote") if "#" in name] == []
