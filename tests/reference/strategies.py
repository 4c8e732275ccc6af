"""Event files rich in dirt, for property tests: few names and ids, so that they collide, and many kinds of values.

JSON is written by hand, so that spellings of numbers, escapes, duplicate keys and white space reach the line.
"""

from collections.abc import Sequence
from functools import cache

from hypothesis import strategies as st

TYPES = ["identify", "track", "page", "screen", "group", "alias"]
EVENTS = [
    "Order Completed", "order_completed", "orderCompleted", "Sign-Up", "users", "Tracks", "café", "日本", "!!",
    "a\\u0000b",
]  # fmt: skip
IDS = ["m1", "m2", "m3", "m4", "m5", "m\\u0000", "\\ud800"]
PEOPLE = ["u1", "u2", "U1", "ü"]
KEYS = [
    "a", "A", "b", "fooBar", "foo_bar", "Foo Bar", "id", "ID", "_id", "timestamp", "user_id", "context_ip", "contextIp",
    "event", "name", "Name", "category", "extra", "received-at", "prénom", "価格", "", "?!", "a.b", "say \\\"hi\\\"",
    "\\u0061", "\\ud83d\\ude00", "\\udc00", "k" * 130,
]  # fmt: skip
NUMBERS = [
    "0", "-0", "1", "2", "-7", "12", "9007199254740992", "9007199254740993", "-9007199254740993", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "123456789012345678901234567890",
    "1.50", "1.5", "2.0", "-0.0", "1e5", "1E+2", "1e-7", "0.1", "1e15", "1e16", "9007199254740993.0", "1e300", "1e400",
    "-1E400", "0.1000000000000000055511151231257827", "1e-400", "1e18", "1e19", "9223372036854775807.0",
]  # fmt: skip
TIMES = [
    "2024-02-29", "2024-02-29T12:00", "2024-02-29T12:00:01Z", "2024-02-29 12:00:01.5", "2024-02-29T12:00:01.1234567Z",
    "2024-02-29T12:00:01+0530", "2024-02-29T12:00:01-05:30", "2024-02-29T00:00:00.000+02", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z", "2024-03-01T00:00:00Z", "2024-03-09T10:11:12.345Z",
]  # fmt: skip
ALMOST_TIMES = [
    "2023-02-29", "2024-02-29T24:00:00Z", "2024-02-29T12:00:60Z", "2024-02-29T12Z", "2024-02-29Z", "2024-2-9",
    "2024-02-29T12:00:00.Z", "2024-02-29t12:00:00z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
    "2024-02-29T12:00:00+24:00", "2024-02-29T12:00:00+05:60", " 2024-02-29", "2024-02-29\\n", "20240229", "٢٠٢٤-01-01",
    "0000-01-01", "2024-02-29T12:00:00 Z", "2024-02-29T12:00:00,5Z",
]  # fmt: skip
STRINGS = [
    "", "x", "X", "true", "false", "null", "12", "-0", "007", "1.50", "1e2", "1e400", "0.1", "9007199254740993", " 1",
    "9223372036854775808", "NaN", "+1", "é", "e\\u0301", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\ude00\\ud83d",
    "a\\u0000b", "\\n\\t\\/\\\\\\\"", "[1,2]", "日本", "😀",
]  # fmt: skip
BROKEN_LINES = [
    b"garbage", b"[]", b"1", b'"text"', b"null", b"{", b"}", b"{}", b'{"type":"track",}', b'{"type":"track"} x',
    b"{'a':1}",
    b'{"a":NaN}', b'{"a":01}', b'{"a":1.}', b'{"a":.5}', b'{"a":"\x01"}', b'{"a":"\t"}', b'{"a":"\xff"}',
    b"\xc3(", b"\xed\xa0\x80",
    b'{"a":"\\x"}', b'{"a":"\\u12"}', b'{"type":"page","userId":"u","context":{"a":"\\ud8"3d\\ude00"}}',
    b'{"type":"page","userId":"u","properties":{"a":"\\ud8zz"}}',
    b"[" * 501 + b"]" * 501, b'{"a":' + b"[" * 499 + b"]" * 499 + b"}", b"[" * 10_000,
    b'{"batch":{}}', b'{"batch":[]}', b'{"batch":[1,{}]}', b'{"batch":null}', b'\xef\xbb\xbf{"type":"track"}',
]  # fmt: skip
BLANK_LINES = [b"", b"", b" ", b"\t", b"\r"]
ODD_VALUES = ["null", '""', "5", "true", "[]", "{}", '"not a time"', '"\\u0000"']
Pairs = Sequence[tuple[str, str]]


def event_lines(*, max_lines: int = 12) -> st.SearchStrategy[list[bytes]]:
    """Lines of one file, without their line ends; most of them single calls."""
    good = calls()
    weighted = [good] * 10 + [batches(), broken_lines()] + [st.sampled_from(BLANK_LINES)]
    return st.lists(st.integers(0, len(weighted) - 1).flatmap(weighted.__getitem__), max_size=max_lines).flatmap(
        _repeated
    )


def calls() -> st.SearchStrategy[bytes]:
    """One call as a line, its fields mostly as the spec wants them, with white space around it."""
    ends = st.sampled_from([b"", b"", b"", b"\r", b" \t\r"])
    return st.tuples(call_texts(), ends).map(lambda parts: parts[0].encode() + parts[1])


@st.composite
def call_texts(draw: st.DrawFn, *, clock: bool = True) -> str:
    """The JSON text of one call; without `clock` it leaves more fields to its envelope."""
    type_ = draw(st.sampled_from([*TYPES, "track", "track", "track", "identify"]))
    pairs = [("type", _quoted(draw(st.sampled_from([type_] * 5 + [type_.title()]))))]
    pairs += draw(_own_fields(type_))
    pairs += draw(_optional("messageId", st.sampled_from(IDS).map(_quoted), often=9))
    pairs += draw(_optional("userId", st.sampled_from(PEOPLE).map(_quoted), often=8))
    pairs += draw(_optional("anonymousId", st.sampled_from(["a1", "a2"]).map(_quoted), often=8))
    for key, often in (("receivedAt", 8), ("sentAt", 6), ("originalTimestamp", 6), ("timestamp", 4)):
        pairs += draw(_optional(key, st.sampled_from(TIMES).map(_quoted), often=often if clock else 1))
    pairs += draw(_optional("context", objects(), often=6 if clock else 3))
    root = "traits" if type_ in ("identify", "group") else "properties"
    pairs += draw(_optional(root, objects(), often=9))
    if draw(st.integers(0, 9)) == 0:
        extra = draw(st.sampled_from(["integrations", "version", "", "type", "userId", "properties", "context"]))
        pairs.append((extra, draw(st.sampled_from([*ODD_VALUES, '"track"', '{"a":1}']))))
    return draw(_object(draw(st.permutations(pairs))))


@st.composite
def batches(draw: st.DrawFn) -> bytes:
    """A batch envelope as a line, with elements that are good more often than not."""
    elements = st.one_of(call_texts(clock=False), call_texts(), st.sampled_from(["1", "null", "{}"]))
    pairs = [("batch", "[" + ",".join(draw(st.lists(elements, max_size=3))) + "]")]
    for key in ("receivedAt", "sentAt"):
        pairs += draw(_optional(key, st.sampled_from(TIMES).map(_quoted), often=6))
    pairs += draw(_optional("context", objects(), often=6))
    if draw(st.integers(0, 19)) == 0:
        pairs.append(("type", "null"))
    return draw(_object(pairs)).encode()


def broken_lines() -> st.SearchStrategy[bytes]:
    """Lines of which most are no event: cut ones, and known kinds of rubbish."""
    cut = st.tuples(calls(), st.integers(1, 60)).map(lambda parts: parts[0][: -parts[1]])
    return st.one_of(st.sampled_from(BROKEN_LINES), cut)


@cache  # building them costs more than drawing from them
def values() -> st.SearchStrategy[str]:
    """JSON texts of all kinds but objects that are walked."""
    strings = st.one_of(*(st.sampled_from(words) for words in (TIMES, ALMOST_TIMES, STRINGS)))
    scalars = [
        st.sampled_from(NUMBERS[:6]),
        st.sampled_from(NUMBERS),
        st.sampled_from(["true", "false", "null"]),
        strings.map(_quoted),
    ]
    arrays = st.lists(st.one_of(*scalars, objects_of(st.one_of(*scalars))), max_size=3).map(
        lambda x: f"[{', '.join(x)}]"
    )
    return st.one_of(*scalars, *scalars, arrays)


@cache
def objects() -> st.SearchStrategy[str]:
    """JSON texts of objects: flat, nested a little, or nested deeper than columns go."""
    flat, one_kind = objects_of(values()), objects_of(st.sampled_from(NUMBERS[:4]))
    nested = objects_of(st.one_of(values(), flat, flat))
    deep = st.tuples(st.integers(3, 6), st.sampled_from(["a", "b"]), st.one_of(values(), flat)).map(
        lambda parts: ('{"%s":' % parts[1]) * parts[0] + parts[2] + "}" * parts[0]  # noqa: UP031 (braces)
    )
    return st.one_of(one_kind, flat, flat, nested, deep)


def objects_of(members: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """JSON texts of objects with these values; a key may come twice."""
    return st.lists(st.tuples(st.sampled_from([*KEYS[:6], *KEYS]), members), max_size=4).flatmap(_object)


def _own_fields(type_: str) -> st.SearchStrategy[Pairs]:
    match type_:
        case "track":
            return _optional("event", st.sampled_from([*EVENTS[:3], *EVENTS]).map(_quoted), often=19)
        case "page" | "screen":
            words = st.sampled_from(["Home", "x", "", "\\ud800"]).map(_quoted)
            return st.tuples(_optional("name", words, often=5), _optional("category", words, often=3)).map(_flat)
        case "group":
            return _optional("groupId", st.sampled_from(["g1", "g2"]).map(_quoted), often=19)
        case "alias":
            return _optional("previousId", st.sampled_from(PEOPLE).map(_quoted), often=19)
        case _:
            return st.just([])


@st.composite
def _optional(draw: st.DrawFn, key: str, good: st.SearchStrategy[str], *, often: int) -> Pairs:
    """The key with a good value `often` times, absent once, and in one case of forty with an odd value."""
    if draw(st.integers(0, 39)) == 23:  # not at an end: Hypothesis likes those
        return [(key, draw(st.sampled_from(ODD_VALUES)))]
    return [(key, draw(good))] if draw(st.integers(0, often)) < often else []


@st.composite
def _object(draw: st.DrawFn, pairs: Pairs) -> str:
    space = draw(st.sampled_from(["", "", "", " ", "\t", " \r "]))
    return "{" + space + f",{space}".join(f"{_quoted(key)}{space}:{space}{value}" for key, value in pairs) + space + "}"


@st.composite
def _repeated(draw: st.DrawFn, lines: list[bytes]) -> list[bytes]:
    """The lines, now and then with some of them again: as they were, or with other white space."""
    again = draw(st.lists(st.sampled_from(lines), max_size=2)) if lines else []
    return lines + [line + draw(st.sampled_from([b"", b" "])) for line in again]


def _flat(parts: Sequence[Pairs]) -> Pairs:
    return [pair for pairs in parts for pair in pairs]


def _quoted(escaped: str) -> str:
    return f'"{escaped}"'
