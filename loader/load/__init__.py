"""The forward flow, and what else a person does with loads. `flow.load` is the place to start reading.

The functions are imported when they are asked for: a load that finds nothing to do should not wait for the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loader.load.bad_input import quarantine, quarantine_text, rejects
    from loader.load.catalog import list_tables, listed_tables, table_facts
    from loader.load.checkup import doctor
    from loader.load.compacting import compact
    from loader.load.flow import load
    from loader.load.mending import abandon, replay_quarantine
    from loader.load.outstanding import waiting
    from loader.load.planning import plan
    from loader.load.retyping import retype
    from loader.load.stages import accept_damaged, convert, merge, partition_facts
    from loader.load.state import status, tables

_HOMES = {
    **dict.fromkeys(("quarantine", "quarantine_text", "rejects"), "bad_input"),
    **dict.fromkeys(("list_tables", "listed_tables", "table_facts"), "catalog"),
    "compact": "compacting",
    "doctor": "checkup",
    "load": "flow",
    **dict.fromkeys(("abandon", "replay_quarantine"), "mending"),
    "plan": "planning",
    "retype": "retyping",
    **dict.fromkeys(("accept_damaged", "convert", "merge", "partition_facts"), "stages"),
    **dict.fromkeys(("status", "tables"), "state"),
    "waiting": "outstanding",
}

__all__ = [
    "abandon",
    "accept_damaged",
    "compact",
    "convert",
    "doctor",
    "list_tables",
    "listed_tables",
    "load",
    "merge",
    "partition_facts",
    "plan",
    "quarantine",
    "quarantine_text",
    "rejects",
    "replay_quarantine",
    "retype",
    "status",
    "table_facts",
    "tables",
    "waiting",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
