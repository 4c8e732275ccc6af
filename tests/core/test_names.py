"""Names as Segment's warehouses have them, and what we do where go-snakecase would delete a name (RULES 3)."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.core.names import MAX_BYTES, identifier, shortened


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sampleText", "sample_text"),
        ("samPLE text", "sam_ple_text"),
        ("sample 2 Text", "sample_2_text"),
        ("FOO:BAR$BAZ", "foo_bar_baz"),
        ("CStringRef", "cstring_ref"),
        ("HTTPRequest", "httprequest"),
        ("userID", "user_id"),
        ("orderIDs", "order_ids"),
        ("iPhone", "i_phone"),
        ("THE5r", "the5r"),
        ("5TEst", "5test"),
        ("f_pX9", "f_p_x9"),
        ("p_z9Rg", "p_z9_rg"),
        ("2FA Enabled", "2fa_enabled"),
        ("$revenue", "revenue"),
        ("__op", "op"),
        ("abTESTName", "ab_testname"),
        ("Foo Bar", "foo_bar"),
        ("foo-bar", "foo_bar"),
        ("foo_bar", "foo_bar"),
    ],
)
def test_ascii_names_are_those_of_go_snakecase(name: str, expected: str) -> None:
    assert identifier(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("café", "cafe", id="composed"),
        pytest.param("cafe\u0301", "cafe", id="decomposed"),
        pytest.param("Straße", "strasse", id="one letter as two"),
        pytest.param("日本", "ri_ben", id="Chinese characters"),
        pytest.param("Заказ", "zakaz", id="Cyrillic"),
        pytest.param("½ price", "1_2_price", id="a number that is no digit"),
        pytest.param("a№b", "a_b", id="a sign separates"),
        pytest.param("a\u00a0b", "a_b", id="a no-break space separates"),
        pytest.param("ok🎉", "ok", id="an emoji is dropped"),
    ],
)
def test_letters_beyond_ascii_are_transliterated(name: str, expected: str) -> None:
    assert identifier(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),  # the first digits of `printf … | sha256sum`
    [("$$$", "n_49359263"), ("", "n_e3b0c442"), ("🎉", "n_6146299c"), ("\0", "n_83d544cc"), ("\ud800", "n_83d544cc")],
    ids=ascii,
)
def test_a_name_that_would_be_empty_is_a_hash(name: str, expected: str) -> None:
    assert identifier(name) == expected


@settings(max_examples=50)
@given(st.text(max_size=20))
def test_an_identifier_is_snake_case_and_its_own_identifier(name: str) -> None:
    found = identifier(name)
    assert re.fullmatch("[a-z0-9]+(_[a-z0-9]+)*", found)
    assert identifier(found) == found


def test_127_bytes_are_not_too_long() -> None:
    assert shortened("a" * 127) == "a" * 127


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a" * 128, "a" * 118 + "_6836cf13"), ("_b" * 70, "_b" * 59 + "_af5da9d9")],
    ids=["one too many", "many too many"],
)
def test_a_longer_one_ends_in_the_hash_of_the_whole(name: str, expected: str) -> None:
    assert shortened(name) == expected
    assert len(expected) == MAX_BYTES == 127
