"""What is longer than a warehouse holds is rejected before it is loaded, row by row, and nothing else is."""

import pyarrow as pa
import pytest

from loader.core.limits import TOO_LONG, cut, shortened, too_long
from loader.core.rejects import Reject
from loader.core.types import ColumnType

STRING, JSON = ColumnType.STRING, ColumnType.JSON
TEXT, WHOLE = 10, 30  # bytes of a text, and of json


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        pytest.param(STRING, ["a" * 10, None, "a" * 11], [2], id="one byte more is too many"),
        pytest.param(STRING, ["é" * 5, "é" * 6], [1], id="bytes count, not characters"),
        pytest.param(STRING, [], [], id="no rows"),
        pytest.param(STRING, [None, None], [], id="nulls only"),
        pytest.param(JSON, ["[1,2,3,4,5,6,7]"], [], id="json may be longer than a text"),
        pytest.param(JSON, ["[" + "1," * 20 + "1]"], [0], id="but not longer than json may be"),
        pytest.param(JSON, ['[["aaaaaaaaaaa"]]', '["aaaaaaaaaa"]'], [0], id="a text inside counts as a text"),
        pytest.param(JSON, ['{"aaaaaaaaaaa": 1}'], [0], id="so does a name inside"),
        pytest.param(ColumnType.INTEGER, [1], [], id="numbers are never too long"),
    ],
)
def test_too_long(kind: ColumnType, values: list[object], expected: list[int]) -> None:
    array = pa.array(values, pa.int64() if kind is ColumnType.INTEGER else pa.string())
    assert too_long(array, kind, max_text_bytes=TEXT, max_json_bytes=WHOLE) == expected
    assert too_long(array, kind, max_text_bytes=0, max_json_bytes=0) == []


def test_an_id_that_is_too_long_becomes_its_hash() -> None:
    ids = shortened(pa.array(["short", "b" * 11]), TEXT)
    assert ids.to_pylist() == ["short", "53706088c2a03aba281b9cf59194bf5c2f8d8988b11aeaba29aff83fe7827711"]
    assert shortened(ids, 0) is ids


def test_a_reject_that_is_too_long_is_cut_between_characters_and_says_so() -> None:
    short = Reject(1, "t", "m1", "c", '"éé"', "not_integer")
    long = short._replace(value='"' + "é" * 20 + '"')
    assert cut([short, long], TEXT) == [short, long._replace(value='"éééé', reason=TOO_LONG)]
    assert cut([long], 0) == [long]
