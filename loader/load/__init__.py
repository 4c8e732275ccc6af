"""The forward flow, and what else a person does with loads. `flow.load` is the place to start reading.

The functions are imported when they are asked for: a load that finds nothing to do should not wait for the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loader.load.bad_input import quarantine, quarantine_text, rejects
    from loader.load.checkup import doctor
    from loader.load.flow import load
    from loader.load.mending import abandon, replay_quarantine
    from loader.load.planning import plan
    from loader.load.retyping import retype
    from loader.load.state import status, tables

_HOMES = {
    **dict.fromkeys(("quarantine", "quarantine_text", "rejects"), "bad_input"),
    "doctor": "checkup",
    "load": "flow",
    **dict.fromkeys(("abandon", "replay_quarantine"), "mending"),
    "plan": "planning",
    "retype": "retyping",
    **dict.fromkeys(("status", "tables"), "state"),
}

__all__ = [
    "abandon",
    "doctor",
    "load",
    "plan",
    "quarantine",
    "quarantine_text",
    "rejects",
    "replay_quarantine",
    "retype",
    "status",
    "tables",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
