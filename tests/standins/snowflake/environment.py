"""The stand-in's own environment: made once, beside the one that runs the tests.

fakesnow 0.12 cannot be imported beside snowflake-connector-python 5, which the loader uses. What the two agree about
(duckdb, pyarrow, …) is not installed twice: a .pth file lets the second see the first, behind its own packages.

    python tests/standins/snowflake/environment.py     makes it, or finds it made
"""

import compileall
import fcntl
import subprocess
import sys
import sysconfig
import venv
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[3]
_REQUIREMENTS = HERE / "requirements.txt"


def ensured() -> Path:
    """Return the Python of the environment, made anew if it is not what requirements.txt asks for.

    Ten seconds the first time. Several processes at once wait for one of them; one that dies leaves no stamp.
    """
    home = (Path(sys.prefix) if sys.prefix != sys.base_prefix else ROOT / ".venv") / "standins" / "snowflake"
    home.parent.mkdir(parents=True, exist_ok=True)
    wanted = sha256(f"{_REQUIREMENTS.read_text()}{sys.version}{sysconfig.get_path('purelib')}".encode()).hexdigest()
    python, stamp = home / "bin" / "python", home / "installed"
    with (home.parent / "snowflake.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != wanted:
            _make(home, python)
            stamp.write_text(wanted)
    return python


def _make(home: Path, python: Path) -> None:
    print("setting up the Snowflake stand-in: some seconds, once", file=sys.stderr)
    venv.create(home, clear=True)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    (Path(own) / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    # This Python's pip, for the other's packages.
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile"]
    subprocess.run([*install, "--disable-pip-version-check", "-r", str(_REQUIREMENTS)], check=True)
    compileall.compile_dir(own, quiet=2, workers=0)


if __name__ == "__main__":
    ensured()
