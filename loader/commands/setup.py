"""`loader init` and `loader doctor`: a first settings file, and whether everything it names works."""

from collections.abc import Iterator

from loader.commands.arguments import Arguments, Commands, command
from loader.commands.output import answer
from loader.commands.page import Grid, Line, Page
from loader.commands.settings import settings
from loader.core.results import Doctor
from loader.errors import ConfigError


def add(commands: Commands) -> None:
    """Add the commands to the command line."""
    command(
        commands,
        "init",
        init,
        summary="write a settings file to begin with",
        text="Write loader.toml with every setting, its default and what it is for. An existing file is never changed.",
        examples="  loader init\n  loader init --config settings/loader.toml",
    )
    command(
        commands,
        "doctor",
        doctor,
        summary="try out everything that a load needs",
        text="Really list each source, write to staging, and create, load and drop a table: then say what does not\n"
        "work and what to do about it. It leaves nothing behind.",
        examples="  loader doctor",
    )


def init(arguments: Arguments) -> int:
    """Write the starter settings; a second call refuses."""
    from loader.config import STARTER
    from loader.storage.folder import translated

    path = arguments.config
    with translated(path):
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(STARTER)
        except FileExistsError as error:
            raise ConfigError(f"{path} exists and was left as it is; edit it, or name another with --config") from error
    answer(arguments, {"path": str(path)}, lambda: _first_steps(str(path)))
    return 0


def doctor(arguments: Arguments) -> int:
    """Run every check; 1 if one of them fails."""
    config = settings(arguments)
    from loader import load as flow  # slow to import, so after all that can be wrong

    found = flow.doctor(config)
    answer(arguments, found, lambda: doctor_page(found))
    return 0 if found.ok else 1


def doctor_page(found: Doctor) -> Page:
    """Tell what was tried, one line a check, and then the remedies."""
    rows = [
        (Line("ok", "good") if check.ok else Line("FAILED", "bad"), check.name, check.detail) for check in found.checks
    ]
    return [Grid(("", "tried", "found"), tuple(rows)), *_remedies(found)]


def _remedies(found: Doctor) -> Iterator[str | Line]:
    failed = [check for check in found.checks if not check.ok]
    if not failed:
        yield Line("everything works", "good")
    for check in failed:
        yield f"{check.name}: {check.remedy or check.detail}"


def _first_steps(path: str) -> Page:
    return [
        Line(f"wrote {path}", "good"),
        "next: set the url of [sources.events] to where your event files are, then run `loader doctor`;",
        "or try it with synthetic events: `loader generate`, `loader load`, `loader tables`",
    ]
