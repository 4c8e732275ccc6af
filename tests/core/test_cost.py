"""What statements cost: measured by us, and told by the warehouse where its history has them."""

from loader.core.cost import Cost

MEASURED = Cost(3, None, 3.5, (("a", 0.5), ("b", 1.0), ("c", 2.0)))


def test_what_a_history_says_takes_the_place_of_what_was_measured() -> None:
    told = MEASURED.told({"b": Cost(1, 700, 0.25), "c": Cost(1, 50, 1.5), "of another": Cost(1, 9, 9.0)})
    assert told == Cost(3, 750, 0.5 + 0.25 + 1.5)


def test_a_history_without_them_leaves_it() -> None:
    assert MEASURED.told({}) == Cost(3, None, 3.5)


def test_a_difference_has_the_marks_that_came_since() -> None:
    assert MEASURED.plus(Cost(1, None, 1.0, (("d", 1.0),))).minus(MEASURED) == Cost(1, None, 1.0, (("d", 1.0),))
