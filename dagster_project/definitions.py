"""What Dagster loads: an asset per source of loader.toml. The only file here that reads the environment.

LOADER_CONFIG   the settings file (loader.toml in the working folder)
LOADER_START    the date of the first partition (2024-01-01), in UTC
"""

import os
from pathlib import Path

from dagster_project.build import build_defs
from dagster_project.partitions import START

defs = build_defs(Path(os.environ.get("LOADER_CONFIG", "loader.toml")), start=os.environ.get("LOADER_START", START))
