"""Syncs and destinations in loader.toml: what is wrong is said, with what would be right."""

from typing import Any

import pytest

from loader.config import Config, parse
from loader.core.destination import Rate
from loader.errors import ConfigError
from loader.sync.edges import narrowed

GOOD = """
[destinations.hook]
kind = "segment"
write_key = "key"
[syncs.vip]
table = "main.people"
key = "id"
destination = "hook"
mode = "upsert"
fields = { userId = "id", email = "email" }
"""
WRONG = {
    "a mode that the tool has not": ('"upsert"', '"mirror"', r"cannot mirror; it can audience, insert, upsert"),
    "no such mode": ('"upsert"', '"upset"', r"did you mean 'upsert'"),
    "no such kind": ('kind = "segment"', 'kind = "segmend"', r"did you mean 'segment'"),
    "no kind": ('kind = "segment"', "", r"kind: is missing"),
    "no such destination": ('destination = "hook"', 'destination = "hok"', r"did you mean 'hook'"),
    "a setting of nobody": ("write_key", "write_kee", r"no such setting \(did you mean 'write_key'\?\)"),
    "no identifier": ("userId", "name", r"knows people by userId or anonymousId; map one of them"),
    "no source": ('table = "main.people"', "", r"write one of audience, table and dbt"),
    "two sources": (
        'table = "main.people"',
        'table = "main.people"\ndbt = "x"',
        r"write one of audience, table and dbt",
    ),
    "no table": ('"main.people"', '"people; DROP"', r"is no table"),
    "nobody to adopt": (
        'key = "id"',
        'key = "id"\nfirst_sync = "adopt"',
        r"cannot be read, so nobody in it can be adopted",
    ),
    "a share above all": ('key = "id"', 'key = "id"\nholdout = "101%"', r"is no share"),
    "no frequency": ('write_key = "key"', 'write_key = "key"\nrate = "many"', r"is no frequency"),
    "a frequency in no time": ('write_key = "key"', 'write_key = "key"\nrate = "9/0s"', r"is no frequency"),
    "hashed what is not": ('key = "id"', 'key = "id"\nprehashed = ["email"]', r"'email' is not hashed by Segment"),
    "a word of the commands": ("[syncs.vip]", "[syncs.show]", r"is no name"),
    "a secret that is not set": ('"key"', '"env:NOT_SET_ANYWHERE"', r"'NOT_SET_ANYWHERE' is not set"),
}


def read(text: str) -> Config:
    return parse(text, where="loader.toml", environment={})


def test_what_is_right_is_read() -> None:
    config = read(GOOD)
    assert config.syncs["vip"].fields == {"userId": "id", "email": "email"}
    assert "key" not in repr(config.destinations["hook"].own.write_key)


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=said):
        read(GOOD.replace(old, new, 1))


def test_defaults_guard_what_would_hurt() -> None:
    guard: Any = read(GOOD).syncs["vip"].guard
    assert (guard.max_removals, guard.allow_empty) == (0.2, False)


def test_a_rate_takes_the_place_of_that_of_the_tools_page() -> None:
    written = read(GOOD.replace("[syncs.vip]", 'rate = "190/1m"\n[syncs.vip]', 1)).destinations["hook"]
    assert narrowed(written).rates == (Rate(190, 60),)
    assert narrowed(read(GOOD).destinations["hook"]).rates == (Rate(1000, 1),)
