"""What a warehouse's error means, from a table of patterns; and where `?` stands for a value."""

import doctest

import pytest

from loader.core import binding
from loader.core.binding import formatted
from loader.core.faults import Fault, Pattern, classified, failure
from loader.errors import WarehouseBusyError
from loader.warehouses.postgres.dialect import FAULTS

PATTERNS = (
    Pattern(Fault.TRANSIENT, "run again", codes=("23505",), text="pg_class"),
    Pattern(Fault.DATA, "correct the value", codes=("22*", "23505")),
    Pattern(Fault.CREDENTIALS, "correct `password`", text="password"),
)


@pytest.mark.parametrize(
    ("codes", "message", "fault"),
    [
        (["23505"], 'duplicate key in "pg_class"', Fault.TRANSIENT),
        (["23505"], "duplicate key in orders", Fault.DATA),
        (["22P02"], "invalid input", Fault.DATA),
        (["22"], "a code that is the beginning itself", Fault.DATA),
        (["", "122"], "wrong PASSWORD", Fault.CREDENTIALS),
        ([""], "no code, no word", Fault.UNKNOWN),
        ([], "no code, no word", Fault.UNKNOWN),
    ],
)
def test_the_first_pattern_that_fits_tells(codes: list[str], message: str, fault: Fault) -> None:
    assert classified(PATTERNS, codes, message).fault is fault


@pytest.mark.parametrize("fault", Fault)
def test_only_what_time_mends_is_tried_again(fault: Fault) -> None:
    error = failure([Pattern(fault, "do it")], warehouse="W", what="w", codes=[], message="m")
    assert error.transient == (fault in (Fault.CAPACITY, Fault.RATE, Fault.TRANSIENT)) == error.__class__.transient
    assert isinstance(error, WarehouseBusyError) == error.transient
    assert error.fault == fault.value


def test_an_error_tells_thing_found_and_remedy_but_no_value_of_a_person() -> None:
    message = "\n  invalid input syntax: 'ann@example.com' and \"Ann\"\nDETAIL: ann"
    error = failure(PATTERNS, warehouse="PostgreSQL", what="INSERT", codes=["", "22P02"], message=message)
    assert str(error) == "PostgreSQL: INSERT: invalid input syntax: … and … (22P02); correct the value"


@pytest.mark.parametrize(
    ("code", "message", "fault"),
    [
        ("28P01", "password authentication failed", Fault.CREDENTIALS),
        ("42501", "permission denied for schema web", Fault.PERMISSION),
        ("3D000", 'database "x" does not exist', Fault.MISSING),
        ("53100", "could not extend file: No space left on device", Fault.CAPACITY),
        ("53300", "too many connections", Fault.CAPACITY),
        ("40P01", "deadlock detected", Fault.TRANSIENT),
        ("57P01", "terminating connection due to administrator command", Fault.TRANSIENT),
        ("55P03", "canceling statement due to lock timeout", Fault.TRANSIENT),
        ("42P01", 'relation "web.orders" does not exist', Fault.SCHEMA),
        ("42703", 'column "x" does not exist', Fault.SCHEMA),
        ("22P02", "invalid input syntax for type json", Fault.DATA),
        ("54000", "row is too big: size 9000, maximum size 8160", Fault.DATA),
        ("54011", "tables can have at most 1600 columns", Fault.SCHEMA),
        ("", 'connection to server at "127.0.0.1", port 1 failed: Connection refused', Fault.TRANSIENT),
        ("", "server closed the connection unexpectedly", Fault.TRANSIENT),
        ("", 'FATAL:  database "x" does not exist', Fault.MISSING),
        ("XX000", "internal error", Fault.UNKNOWN),
    ],
)
def test_postgresql_is_understood(code: str, message: str, fault: Fault) -> None:
    assert classified(FAULTS, [code], message).fault is fault


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT ?, '?', \"a?\", `b?` WHERE x % 2 = ?", "SELECT %s, '?', \"a?\", `b?` WHERE x %% 2 = %s"),
        ("SELECT 'it''s ?' || ?", "SELECT 'it''s ?' || %s"),
        ('SELECT "a""?" = ?', 'SELECT "a""?" = %s'),
        ("no value at all", "no value at all"),
    ],
)
def test_values_stand_where_no_text_and_no_name_is(sql: str, found: str) -> None:
    assert formatted(sql) == found


def test_the_examples_in_its_words_are_right() -> None:
    failed, tried = doctest.testmod(binding)
    assert (failed, tried) == (0, 1)
