"""What Dagster loads: all that belongs to loader.toml. The only file here that reads the environment.

LOADER_CONFIG   the settings file (loader.toml in the working folder)
"""

import os
from pathlib import Path

from dagster_project.build import build_defs

defs = build_defs(Path(os.environ.get("LOADER_CONFIG", "loader.toml")))
