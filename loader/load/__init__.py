"""The forward flow, and what else a person does with loads. `flow.load` is the place to start reading."""

from loader.load.bad_input import quarantine, quarantine_text, rejects
from loader.load.doctor import doctor
from loader.load.flow import load
from loader.load.mending import abandon, replay_quarantine
from loader.load.planning import plan
from loader.load.retyping import retype
from loader.load.state import status, tables

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
