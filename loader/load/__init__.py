"""The forward flow, and what else a person does with loads. `flow.load` is the place to start reading."""

from loader.load.flow import load

__all__ = ["load"]
