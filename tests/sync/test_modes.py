"""What the modes mean in the tools whose file of cases tries another: who leaves, and whom the tool does not know."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from contract.project import project

PEOPLE, STAYED = (1, 2, 3), (2, 3)


class Left(NamedTuple):
    """Someone leaves an audience."""

    slug: str
    mode: str
    tool: dict[str, Any]  # settings
    left: dict[str, Any]  # what is held of whoever left


LEFT = [
    Left("customer_io", "mirror", {}, {}),
    Left("mixpanel", "mirror", {}, {}),
    Left("intercom", "mirror", {}, {}),
    Left("iterable", "mirror", {}, {}),
]


@pytest.mark.parametrize("each", LEFT, ids=lambda each: f"{each.slug}, {each.mode}")
def test_who_leaves_is_deleted_or_marked_as_the_mode_says(each: Left, tmp_path: Path) -> None:
    with project(each.slug, tmp_path, mode=each.mode) as made:
        made.tool |= each.tool
        made.audience(made.people(PEOPLE))
        assert made.sync().state == "success"
        made.audience(made.people(STAYED))
        assert made.sync().removed == 1
        assert made.server.fake.held() == {**made.case.held(STAYED), **each.left}
        sent = made.server.arrived
        assert made.sync().requests == 0
        assert made.server.arrived == sent
        made.audience(made.people(PEOPLE))
        assert made.sync().adds == 1
        assert made.server.fake.held() == made.case.held(PEOPLE), "who comes back is there again"


class Moved(NamedTuple):
    """Someone with the same id has another address."""

    slug: str
    mode: str
    settings: dict[str, Any]  # of the sync
    tool: dict[str, Any]


BY_ID = {"fields": {"external_id": "id", "email": "email"}}
MOVED = [
    Moved("braze", "audience", {}, {}),
    Moved("customer_io", "mirror", {}, {}),
    Moved("hubspot", "mirror", BY_ID, {"id_property": "external_id"}),
    Moved("intercom", "mirror", {}, {}),
    Moved("iterable", "mirror", {}, {}),
    Moved("klaviyo", "audience", {}, {}),
]


@pytest.mark.parametrize("each", MOVED, ids=lambda each: f"{each.slug}, {each.mode}")
def test_another_address_under_the_same_id_removes_nobody(each: Moved, tmp_path: Path) -> None:
    with project(each.slug, tmp_path, mode=each.mode, **each.settings) as made:
        made.tool |= each.tool
        made.audience(made.people((1, 2)))
        assert made.sync().state == "success"
        made.audience([*made.people((1,)), *made.people((2,), email="another@example.com")])
        done = made.sync()
        assert (done.state, done.changes, done.removed) == ("success", 1, 0)
        emails = [found["email"] for found in made.server.fake.held().values()]
        assert sorted(emails) == ["another@example.com", "person1@example.com"]
        gone = [seen.path for seen in made.server.seen if seen.method == "DELETE" or "archive" in seen.path]
        assert gone == []


@pytest.mark.parametrize("slug", ["customer_io"])
def test_with_update_nobody_is_made(slug: str, tmp_path: Path) -> None:
    with project(slug, tmp_path, mode="update") as made:
        made.audience(made.people(PEOPLE))
        made.sync()
        assert dict(made.server.fake.held()) == {}
