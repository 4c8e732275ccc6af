"""From columns to a tool's fields: hashes, lengths, nulls; and members into batches."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import Raw

from loader.core.audience import Member, Mode, Op, Refused
from loader.core.batches import packed
from loader.core.destination import Destination, Limits, Resend, Steps
from loader.core.fields import Field, Null, email
from loader.core.http import Request
from loader.core.mapping import MappingError, identifiers, mapped
from loader.core.settings import Record

ANA = "b0f9dbcc0a49d8d1c4ca6b5d1e0df9f6c3a0d8d38ab2a0b8d4dbf0e0d0d0d0d0"  # 64 hex, of nobody


def steps(*_: object) -> Steps[Any]:
    """Do nothing: mapping makes no request."""
    yield Request("GET", "https://example.com")


TOOL: Destination[Record] = Destination(
    title="Tool",
    docs="https://example.com",
    settings=Record,
    modes=frozenset(Mode),
    fields=(
        Field("email", email, hashed=True, null=Null.OMIT),
        Field("code", max_length=3, required=True),
        Field("note", null=Null.EMPTY),
        Field("age"),
    ),
    identity=("email",),
    limits=Limits(rows=3, bytes=100),
    resend=Resend.SAFE,
    push=steps,
    check=steps,
)
COLUMNS = ("e", "c", "n", "a")
MAP = {"email": "e", "code": "c", "note": "n", "age": "a"}


def made(*row: Any, prehashed: tuple[str, ...] = ()) -> Any:
    return mapped(TOOL, MAP, COLUMNS, prehashed)(row)


def test_what_a_tool_wants_hashed_is_normalised_and_hashed() -> None:
    of_ana = "8e43ca37701228e74983efdbd0cff5c16b3b1e5d4e29a7c05626d4d25a018e11"  # sha256sum of ana@example.com
    assert made(" Ana@Example.com", "abc", "x", 3)["email"] == of_ana
    assert isinstance(made(of_ana, "abc", "x", 3), Refused), "a hash is no address"


def test_a_value_that_is_hashed_already_is_not_hashed_twice() -> None:
    assert made(ANA.upper(), "abc", None, None, prehashed=("email",))["email"] == ANA
    assert made("ana@example.com", "abc", None, None, prehashed=("email",)) == Refused(
        "invalid_value", "email is no SHA-256 in hex, although `prehashed` says so"
    )


def test_whoever_leaves_is_named_by_all_identifiers_or_by_the_first_where_one_names_a_person() -> None:
    tool = replace(TOOL, identity=("code", "email", "note"))
    fields = {"code": "", "email": ANA, "note": "x", "age": 3}
    assert identifiers(tool, Record(), fields) == {"email": ANA, "note": "x"}
    by_code, by_note = replace(tool, named_by=lambda _: ("code", "email")), replace(tool, named_by=lambda _: ("note",))
    assert identifiers(by_code, Record(), fields) == {"email": ANA}
    assert identifiers(by_note, Record(), fields) == {"note": "x"}
    assert identifiers(by_note, Record(), {"age": 3}) == {}


def test_nulls_are_sent_left_out_or_empty_as_the_tool_wants() -> None:
    assert made("a@b.co", "abc", None, None).keys() == {"email", "code", "note", "age"}
    assert made("a@b.co", "abc", None, None)["note"] == ""
    assert made("a@b.co", "abc", None, None)["age"] is None


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (("a@b.co", "abcd", None, None), Refused("invalid_value", "code has 4 characters, and the tool takes 3")),
        (("a@b.co", None, None, None), Refused("invalid_value", "code is empty, and the tool requires it")),
        (("nonsense", "abc", None, None), Refused("invalid_value", "email is no email address")),
        ((None, "abc", None, None), Refused("no_identifier", "none of email is set")),
    ],
)
def test_what_a_tool_cannot_hold_is_refused_with_a_reason(row: tuple[Any, ...], expected: Refused) -> None:
    assert made(*row) == expected


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"email": "e"}, "requires 'code'"),
        ({"code": "c"}, "knows people by email"),
        ({"email": "e", "code": "c", "colour": "x"}, "has no field 'colour'; it has email, code, note, age"),
    ],
)
def test_a_map_that_can_send_nothing_is_an_error(fields: dict[str, str], said: str) -> None:
    with pytest.raises(MappingError, match=said):
        mapped(TOOL, fields, ("e", "c", "x"))


def member(key: str, size: int = 10, *, op: Op = Op.ADD, name: str = "") -> Member:
    return Member(key, op, {"email": name or key}, key, raw=Raw(b"x" * size))


def batches(*members: Member) -> list[str]:
    found = packed(members, TOOL.limits, lambda each: each.key[0], TOOL.identity)
    return ["".join(each.key for each in part) for part in found]


def test_batches_keep_to_rows_bytes_envelopes_and_one_kind() -> None:
    assert batches(*(member(f"a{number}") for number in range(5))) == ["a0a1a2", "a3a4"]
    assert batches(member("a1", 60), member("a2", 38), member("a3", 1), member("a4", 60)) == ["a1a2", "a3a4"]
    assert batches(member("a1"), member("b1"), member("a2"), member("b2")) == ["a1a2", "b1b2"]
    assert batches(member("a1"), member("a2", op=Op.REMOVE), member("a3")) == ["a1a3", "a2"]


def test_no_identifier_is_twice_in_a_batch() -> None:
    assert batches(member("a1", name="x"), member("a2", name="x"), member("a3", name="y")) == ["a1", "a2a3"]
