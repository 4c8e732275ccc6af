"""Lines that are no events: each is quarantined with its file, line and reason, and its neighbours are loaded."""

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from flow import harness
from flow.harness import HOUR, lines, track
from loader.config import Config

CASES = Path(__file__).parents[1] / "cases" / "events" / "quarantined.txt"
GOOD = b'{"type":"track","event":"Good","userId":"u","properties":{"v":%s}}'


class Bad(NamedTuple):
    id: str
    reason: str
    line: bytes


BYTES = [
    Bad("a byte that begins nothing", "invalid_utf8", GOOD % b'"\xff"'),
    Bad("a cut sequence", "invalid_utf8", GOOD % b'"\xe2\x82"'),
    Bad("latin-1", "invalid_utf8", GOOD % '"größe"'.encode("latin-1")),
    Bad("an overlong slash", "invalid_utf8", GOOD % b'"\xc0\xaf"'),
    Bad("a surrogate as bytes", "invalid_utf8", GOOD % b'"\xed\xa0\x80"'),
    Bad("UTF-16", "invalid_utf8", '{"type":"track"}'.encode("utf-16")),
    Bad("bad bytes in a line that is not JSON either", "invalid_utf8", b"\xff oops"),
    Bad("a raw NUL in a string", "not_json", GOOD % b'"a\0b"'),
    Bad("a raw tab in a string", "not_json", GOOD % b'"a\tb"'),
    Bad("NULs between values", "not_json", GOOD % b"1\0"),
    Bad("arrays nested 10,000 deep", "too_deep", GOOD % (b"[" * 10_000 + b"]" * 10_000)),
    Bad("objects nested 10,000 deep", "too_deep", GOOD % (b'{"a":' * 10_000 + b"1" + b"}" * 10_000)),
    Bad("brackets nested 501 deep", "too_deep", GOOD % (b"[" * 499 + b"]" * 499)),
    Bad("10,000 brackets that never close", "too_deep", b"[" * 10_000),
    Bad("a line of 20 MB", "line_too_long", GOOD % (b'"' + b"x" * (20 << 20) + b'"')),
    Bad("20 MB that are no JSON", "line_too_long", b"y" * (20 << 20)),
]


def written_down() -> list[Bad]:
    found = []
    for number, text in enumerate(CASES.read_text().splitlines()[1:], start=2):
        reason, _, line = text.partition(" ")
        found.append(Bad(f"line {number} of {CASES.name}", reason, line.encode()))
    return found


ALL = [*written_down(), *BYTES]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Return a project that has loaded every bad line, each between two good ones, without an id."""
    made = harness.project(tmp_path_factory.mktemp("bad"))
    sent = [line for number, bad in enumerate(ALL) for line in (GOOD % b"%d" % number, bad.line)]
    harness.put(made, "bad.jsonl.gz", lines(*sent))
    [result] = harness.run(made)
    assert result.conserved
    assert result.problems == ()
    return made


@pytest.mark.parametrize("number", range(len(ALL)), ids=[each.id for each in ALL])
def test_a_bad_line_is_quarantined_with_its_reason(config: Config, number: int) -> None:
    found = [(line, reason) for _, line, _, reason in harness.quarantine(config) if line == 2 * number + 2]
    assert found == [(2 * number + 2, ALL[number].reason)]


def test_the_lines_between_bad_ones_are_loaded(config: Config) -> None:
    assert sorted(row["v"] for row in harness.rows(config, "good")) == list(range(len(ALL)))
    assert set(harness.tables(config)) == {"good", "tracks"}
    assert harness.sums(config)["quarantined"] == len(ALL)
    assert harness.rejects(config) == Counter()
    harness.assert_settled(config)


def test_bad_elements_of_an_envelope_are_quarantined_alone(tmp_path: Path) -> None:
    config = harness.project(tmp_path)
    elements = [track(messageId="m0"), 7, {"type": "click"}, track(messageId="m3"), {"batch": [track()]}, None, []]
    harness.put(config, "batch.jsonl.gz", lines({"batch": elements}, b'{"batch":[', track(messageId="m9")))
    [result] = harness.run(config)
    assert (result.lines, result.events, result.rows, result.quarantined) == (3, 9, 3, 6)
    assert [row["id"] for row in harness.rows(config, "order_completed")] == ["m0", "m3", "m9"]
    name = f"{HOUR}batch.jsonl.gz"
    assert harness.quarantine(config) == {
        (name, 1, 1, "not_object"): 1,
        (name, 1, 2, "unknown_type"): 1,
        (name, 1, 4, "missing_type"): 1,
        (name, 1, 5, "not_object"): 1,
        (name, 1, 6, "not_object"): 1,
        (name, 2, 0, "not_json"): 1,
    }


def test_a_line_of_20_mb_is_a_row_where_the_settings_allow_it(tmp_path: Path) -> None:
    config = harness.project(tmp_path, source='max_line_bytes = "32MB"')
    harness.put(config, "long.jsonl.gz", lines(GOOD % (b'"' + b"x" * (20 << 20) + b'"'), GOOD % b'"short"'))
    [result] = harness.run(config)
    assert (result.rows, result.quarantined, result.conserved) == (2, 0, True)
    assert harness.query(config, "SELECT length(v) FROM web.good ORDER BY 1") == [(5,), (20 << 20,)]


def test_brackets_nested_500_deep_are_a_value(tmp_path: Path) -> None:
    config = harness.project(tmp_path)
    deep = b"[" * 498 + b"]" * 498
    harness.put(config, "deep.jsonl.gz", lines(GOOD % deep, GOOD % (b'"' + b"[" * 10_000 + b'"')))
    [result] = harness.run(config)
    assert (result.rows, result.quarantined) == (2, 0)
    found = {text for (text,) in harness.query(config, "SELECT v FROM web.good")}
    assert found == {deep.decode(), f'"{"[" * 10_000}"'}


def test_events_without_an_id_get_one_that_a_reload_agrees_with(tmp_path: Path) -> None:
    config = harness.project(tmp_path)
    for name in ("first", "again"):
        nameless = [GOOD % b"1", GOOD % b"2", GOOD.replace(b'"userId"', b'"messageId":null,"userId"') % b"3"]
        harness.put(
            config, f"{name}.jsonl.gz", lines(*nameless, {"batch": [track(messageId=""), track(messageId=None)]})
        )
        harness.run(config)
    ids = [row["id"] for row in harness.rows(config, "tracks")]
    assert len(ids) == len(set(ids)) == 5
    assert all(len(each) == 34 and each.startswith("h_") for each in ids)
    assert harness.sums(config)["duplicates"] == 5


def test_odd_layouts_of_good_lines_are_events(tmp_path: Path) -> None:
    config = harness.project(tmp_path)
    one, two, three, four = (json.dumps(track(messageId=f"m{number}")).encode() for number in range(4))
    harness.put(
        config, "odd.jsonl.gz", b"\xef\xbb\xbf" + one + b"\r\n\n \t\r\n  " + two + b"  \n\n" + three + b"\n" + four
    )
    [result] = harness.run(config)
    assert (result.lines, result.rows, result.quarantined) == (4, 4, 0)
