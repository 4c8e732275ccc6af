"""Which names a source's patterns take."""

from typing import NamedTuple

import pytest

from loader.core.policy import Policy, Selection


class Choice(NamedTuple):
    """Patterns, and the names that they take and do not take."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    taken: tuple[str, ...]
    left: tuple[str, ...]


CHOICES = [
    Choice((), (), ("", "anything"), ()),
    Choice(("Order *",), (), ("Order Completed", "Order "), ("Order", "order completed", "An Order Completed")),
    Choice((), ("Debug?",), ("Debug", "Debug12"), ("Debug1",)),
    Choice(("*",), ("*",), (), ("", "anything")),
    Choice(("a*",), ("*z",), ("a", "ab"), ("az", "b")),
    Choice((), ("[Amplitude] *",), ("A x", "m x"), ("[Amplitude] Page Viewed",)),
    Choice(("a[1-9]", "b[*]"), (), ("a[1-9]", "b[]", "b[x]"), ("a1", "b*")),
]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: f"{choice.include} but {choice.exclude}")
def test_names_are_taken_by_patterns(choice: Choice) -> None:
    selection = Selection(choice.include, choice.exclude)
    assert [name for name in (*choice.taken, *choice.left) if selection.takes([name])] == list(choice.taken)


def test_a_property_is_taken_or_left_with_what_it_lies_in() -> None:
    policy = Policy(properties=Selection(include=("properties.a",), exclude=("*.secret",)))
    paths = [("properties", "a"), ("properties", "a", "b"), ("properties", "a", "secret", "c"), ("properties", "ab")]
    assert [policy.takes_path(path) for path in paths] == [True, True, False, False]
