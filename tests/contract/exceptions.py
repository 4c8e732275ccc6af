"""How a case says that a warehouse does not keep it: the mark `exception`, read by the fixture of the suite."""

from typing import Literal

import pytest

Why = Literal["notimpl", "notyet", "never"]  # we could; the vendor must first; nobody can


def exception(kind: str, why: Why, reason: str) -> pytest.MarkDecorator:
    """Return the mark: for this kind the case fails, and must; the suite says so when it no longer does."""
    return pytest.mark.exception(kind, why, reason)


def apply(request: pytest.FixtureRequest, kind: str) -> None:
    """Expect the failure of a case that is excepted for a kind."""
    for mark in request.node.iter_markers("exception"):
        marked, why, reason = mark.args
        if marked == kind:
            request.applymarker(pytest.mark.xfail(reason=f"{why}: {reason}", strict=True))
