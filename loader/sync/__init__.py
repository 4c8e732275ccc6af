"""The reverse flow, and what else a person does with syncs. `flow.sync` is the place to start reading.

The functions are imported when they are asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loader.sync.checking import check, kinds
    from loader.sync.flow import dry_run, sync
    from loader.sync.rehearsing import rehearse
    from loader.sync.state import show, syncs

_HOMES = {
    **dict.fromkeys(("check", "kinds"), "checking"),
    **dict.fromkeys(("dry_run", "sync"), "flow"),
    "rehearse": "rehearsing",
    **dict.fromkeys(("show", "syncs"), "state"),
}

__all__ = ["check", "dry_run", "kinds", "rehearse", "show", "sync", "syncs"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
