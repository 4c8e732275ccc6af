"""Run the real command in a folder."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment() -> dict[str, str]:
    """Return the environment of the command: no colours forced, this checkout first."""
    kept = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR", "COLUMNS")}
    return {**kept, "PYTHONPATH": str(ROOT)}


def loader(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run `loader` with the words of the line."""
    command = [sys.executable, "-m", "loader", *line.split()]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
