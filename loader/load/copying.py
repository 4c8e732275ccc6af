"""A copy of the DuckDB file for readers: DuckDB lets one process in, and a reader in the way stops a load.

Of two ways, a copy and Parquet files, the copy was chosen: readers see whole loads, views and the ledger, in the file
format that they know. It costs its size on disk twice.
"""

import os
import shutil
import time
from pathlib import Path

from loader.config import Config, DuckDB
from loader.errors import CapacityError, ConfigError
from loader.load.edges import warehouse


def snapshot(config: Config, path: Path) -> tuple[int, float]:
    """Copy the warehouse to `path`; return bytes, and for how many seconds no load could write.

    Readers of an older copy keep it until they open the file again. Killed half way, it leaves the older copy. Twice
    is the same as once. ConfigError for a warehouse that is no file.
    """
    settings = config.warehouse
    if not isinstance(settings, DuckDB):
        raise ConfigError(
            f"a snapshot is for DuckDB; {settings.kind} lets many read while one writes: remove `snapshot`"
        )
    if Path(settings.path) == path:
        raise ConfigError("`snapshot` in [dagster] is the warehouse itself; name another file")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with warehouse(config) as opened:  # so that nobody writes while we copy
            with opened.session() as session:
                session.execute("CHECKPOINT")
            began = time.monotonic()
            shutil.copyfile(settings.path, part)
            held = time.monotonic() - began
        size = part.stat().st_size
        part.replace(path)
    except OSError as error:
        raise CapacityError(
            f"{path} could not be written: {error.strerror}; make room, or name another file"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return size, held
