"""Who may import whom, what stays pure, and how long things may get. The limits are in the words of the asserts."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOADER = ROOT / "loader"
# A module may import from its own folder and from a lower level. Folders of one level never import each other.
LEVEL = {
    "errors": 0,
    "core": 1,
    "destinations": 2,
    "config": 3,  # knows the settings that destinations declare
    **dict.fromkeys(("storage", "warehouses", "delivery", "ledger", "rehearsal"), 4),
    "load": 5,
    "sync": 6,  # opens the warehouse as a load does
    "commands": 7,
    "cli": 8,
    "__main__": 9,
}
PURE_FOLDERS = ("core", "destinations")
EFFECTS = {
    *("asyncio", "concurrent", "ftplib", "glob", "http", "io", "logging", "mmap", "multiprocessing", "os", "pathlib"),
    *("random", "secrets", "select", "shutil", "signal", "smtplib", "socket", "sqlite3", "ssl", "subprocess"),
    *("tempfile", "threading", "time", "urllib", "uuid"),
}
TRANSFORMERS = {"anyascii", "isal", "msgspec", "numpy", "pyarrow", "xxhash", "zstandard"}
PURE = (set(sys.stdlib_module_names) | TRANSFORMERS | {"loader"}) - EFFECTS
ACTS = {"pyarrow.fs", "pyarrow.dataset", "pyarrow.flight"}  # of a library that otherwise transforms
ALLOWED = {
    "core/http.py": {"urllib"},  # only `urllib.parse`, which reads and writes text
    "core/synthetic.py": {"random"},  # only `Random(seed)`: the same seed gives the same events, always
}
CALLS_THAT_ACT = {"open", "input", "print", "exec", "eval"}
CLOCKS = {"now", "today", "utcnow"}
DRIVERS = ("boto3", "duckdb", "obstore", "snowflake", "google", "redshift_connector", "dagster", "pyarrow", "rich")
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 30


def modules(*folders: str) -> list[str]:
    """Return the modules below `loader/`, or below some of its folders, as paths to read in a test's name."""
    found = (path.relative_to(LOADER) for path in sorted(LOADER.rglob("*.py")))
    return [path.as_posix() for path in found if not folders or path.parts[0] in folders]


def sources() -> list[str]:
    """Return every module of the repository that we wrote."""
    folders = ("loader", "dagster_project", "sql", "tests")
    return [path.relative_to(ROOT).as_posix() for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of all that a module imports, wherever in it: `from a import b` is `a.b`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{each.name}" for each in node.names)


def folder(module: str) -> str:
    return Path(module).parts[0].removesuffix(".py")


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the last name of each call."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node.lineno, node.func.id if isinstance(node.func, ast.Name) else f".{node.func.attr}"


@pytest.mark.parametrize("module", modules())
def test_imports_point_down(module: str) -> None:
    own = folder(module)
    for name in imports(LOADER / module):
        if own != "__init__" and name.startswith("loader.") and (other := name.split(".")[1]) != own:
            assert LEVEL[other] < LEVEL[own], f"{own} imports {name}"


@pytest.mark.parametrize("module", modules(*PURE_FOLDERS))
def test_pure_folders_import_nothing_that_acts(module: str) -> None:
    found = set(imports(LOADER / module))
    assert {name.split(".")[0] for name in found} - ALLOWED.get(module, set()) <= PURE
    assert not {name for name in found for acts in ACTS if f"{name}.".startswith(f"{acts}.")}


@pytest.mark.parametrize("module", modules(*PURE_FOLDERS))
def test_pure_folders_open_no_file_and_read_no_clock(module: str) -> None:
    acting = CALLS_THAT_ACT | {f".{name}" for name in CLOCKS}
    assert [call for call in calls(LOADER / module) if call[1] in acting] == []


@pytest.mark.parametrize("module", modules())
def test_dagster_is_never_imported_by_the_library(module: str) -> None:
    assert not [name for name in imports(LOADER / module) if name.split(".")[0] in ("dagster", "dagster_project")]


@pytest.mark.parametrize("path", sources())
def test_imports_are_absolute_and_annotations_are_real(path: str) -> None:
    found = list(imports(ROOT / path))
    assert [name for name in found if name.startswith(".")] == [], "imports are absolute"
    assert "__future__.annotations" not in found, "Dagster reads annotations: they must not be strings"


@pytest.mark.parametrize("path", sources())
def test_every_module_says_what_it_is_for(path: str) -> None:
    assert not (ROOT / path).read_bytes().strip() or ast.get_docstring(tree(ROOT / path)), "needs a docstring"


@pytest.mark.parametrize("path", sources())
def test_files_are_short(path: str) -> None:
    lines = (ROOT / path).read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_FILE_LINES, f"{lines} lines: split it by what its parts are about"


@pytest.mark.parametrize("path", sources())
def test_functions_are_short(path: str) -> None:
    found = [node for node in ast.walk(tree(ROOT / path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {f"{node.name} (line {node.lineno})": (node.end_lineno or 0) - node.lineno + 1 for node in found}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


def test_folders_hold_what_their_level_says() -> None:
    assert {folder(module) for module in modules()} - {"__init__"} <= set(LEVEL), "give the new folder a level"


def test_importing_the_library_imports_nothing_else() -> None:
    code = f"import sys, loader; sys.exit(', '.join(sorted(set({DRIVERS}) & set(sys.modules))) or 0)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_the_command_line_imports_no_driver() -> None:
    code = f"import sys, loader.cli; sys.exit(', '.join(sorted(set({DRIVERS}) & set(sys.modules))) or 0)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
