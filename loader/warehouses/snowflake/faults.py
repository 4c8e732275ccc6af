"""What Snowflake's errors mean: error numbers and SQLSTATEs, never the text where a number tells.

The numbers are those of the connector's errorcode.py and of docs.snowflake.com/en/user-guide/ui-support-error-codes;
those of the server's compiler and executor are as users report them (docs list few of them).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from loader.core.faults import Fault, Pattern, failure

FAULTS = (
    Pattern(
        Fault.MISSING,
        "name a `warehouse` and a `role` in [warehouse] that are there and that the user may use",
        ("390189", "390201"),
    ),
    Pattern(
        Fault.CREDENTIALS,
        "check `account`, `user` and `password`, `private_key_file` or `oauth_token` in [warehouse]; "
        "the public key must be the user's RSA_PUBLIC_KEY, and clocks must agree",
        ("390100", "390101", "390102", "390106", "390144", "390186", "390303", "390318", "394300", "394304", "251006"),
    ),
    Pattern(
        Fault.CREDENTIALS, "check how the user may log in", ("250001",), r"390[13]\d\d|394\d\d\d|password|JWT|OAuth"
    ),
    Pattern(
        Fault.CREDENTIALS,
        "check `account` in [warehouse]: it is ORGANISATION-ACCOUNT",
        ("250001",),
        r"\b40[34]\b|not found",
    ),
    Pattern(
        Fault.PERMISSION,
        "grant it to the role: see the grants in the README, or let `loader doctor` say which",
        ("003001", "003003", "003007", "003011", "003041", "42501"),
    ),
    Pattern(
        Fault.MISSING,
        "name a `warehouse` in [warehouse] that the role may use (USAGE, OPERATE)",
        ("000606", "000607", "002043"),
        "warehouse",
    ),
    Pattern(
        Fault.CAPACITY,
        "let an administrator raise the resource monitor's quota",
        ("090073", "090072"),
        "",
    ),
    Pattern(Fault.CAPACITY, "the warehouse wakes or is full; try again", ("000608", "000609", "000670", "000671")),
    Pattern(
        Fault.TRANSIENT,
        "another transaction held the table; try again",
        ("000625", "000630", "000603", "40001"),
    ),
    Pattern(Fault.RATE, "too many calls; wait, then run again: the load continues", text=r"\b429\b|too many requests"),
    Pattern(
        Fault.DATA,
        "a value does not fit its column: `loader retype` makes the column wider, `loader quarantine` lists the lines",
        ("1000*", "1001*", "22000", "22018", "22007", "22003", "42P18"),
        r"recogni[sz]ed|truncated|too long|non-nullable|out of.*range|parsing JSON|duplicate row|invalid UTF",
    ),
    Pattern(
        Fault.MISSING,
        "a part or a stage is not there: run again, and the load makes it anew",
        ("100016", "091016", "02000"),
        "file|stage",
    ),
    Pattern(
        Fault.SCHEMA,
        "somebody changed it, or the role may not see it: compare with `loader tables`, then run again",
        ("002003", "002043", "000904", "002108", "002028", "42S02", "02000"),
    ),
    Pattern(
        Fault.MISSING, "name a `database` in [warehouse] that is there and that the role may use", ("090105", "090106")
    ),
    Pattern(
        Fault.TRANSIENT,
        "the connection broke; run again: the load continues",
        (
            "08*",
            "57*",
            "000004",
            "25000*",
            "25100*",
            "390104",
            "390110",
            "390111",
            "390112",
            "390114",
            "253003",
            "300002",
        ),
    ),
    Pattern(
        Fault.TRANSIENT,
        "the connection broke; run again",
        text=r"HTTP request failed|timed? ?out|connection (reset|closed)",
    ),
)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise the connector's errors as ours, by what the caller can do about them. `what` has no secret and no value."""
    from snowflake.connector import errors

    try:
        yield
    except errors.Error as error:
        number, state = getattr(error, "errno", None), getattr(error, "sqlstate", None)
        codes = [f"{number:06d}" if isinstance(number, int) and number > 0 else "", str(state or "")]
        told = str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or error)
        raise failure(FAULTS, warehouse="Snowflake", what=what, codes=codes, message=told) from None
