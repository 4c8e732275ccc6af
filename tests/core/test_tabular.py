"""CSV and its rows: what is written is read, whatever the cells hold."""

from loader.core.tabular import csv_bytes, csv_rows

ROWS = [{"a": 'x,"y"\nz\r\n\u2028\x0b', "b": "1"}, {"a": "", "b": "ü"}]


def test_what_is_written_is_read() -> None:
    data = csv_bytes(ROWS, delimiter=",", guard_formulas=False)
    assert data == '"a","b"\r\n"x,""y""\nz\r\n\u2028\x0b","1"\r\n"","ü"\r\n'.encode()
    assert csv_rows(data) == ROWS


def test_a_heading_alone_or_nothing_has_no_rows() -> None:
    assert csv_rows(b'"a","b"\n') == csv_rows(b"") == []


def test_the_last_line_may_end_without_its_end() -> None:
    assert csv_rows(b'"a","b"\n"1","2"') == [{"a": "1", "b": "2"}]
