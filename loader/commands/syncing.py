"""`loader sync`, `syncs` and `rehearse`: audiences to the tools, and how it went."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loader.commands.arguments import Arguments, Commands, command, limit_option
from loader.commands.output import answer, answer_json, complain, show
from loader.commands.page import Page
from loader.commands.progress import progress
from loader.commands.settings import settings
from loader.commands.sync_pages import plan_page, rehearsal_page, report_page, result_page, syncs_page
from loader.core.sync_results import SyncPlan, SyncResult
from loader.errors import ConfigError, LeaseError

if TYPE_CHECKING:
    from loader.config import Config

TEXT = """\
Bring tools up to date with audiences: who is new or has changed is sent, who has left is removed. It can be stopped at
any time and run again; a second run sends nothing. `loader sync show RUN` tells a run and its rows."""
EXAMPLES = """\
  loader sync vip                       what has changed since the last run
  loader sync vip --dry-run             the plan, with payloads of a few rows; nothing is sent
  loader sync vip --dry-run --full      and every row encoded, so that rejects and requests are exact
  loader sync vip --approve 3f9a1c52    run that plan, though it removes many
  loader sync vip --retry invalid_email rows again that were rejected with this code
  loader sync vip --resync              everything again
  loader sync show 3f9a1c52             what a run did, and why rows did not arrive"""


def add(commands: Commands) -> None:
    """Add the commands to the command line."""
    parser = command(commands, "sync", sync, summary="send audiences to the tools", text=TEXT, examples=EXAMPLES)
    parser.add_argument("names", nargs="+", metavar="NAME", help="syncs of loader.toml; or `show` and a run")
    parser.add_argument("--dry-run", action="store_true", help="plan and tell the plan; send nothing")
    parser.add_argument("--full", action="store_true", help="with --dry-run: encode every row")
    parser.add_argument("--resync", action="store_true", help="send every row again, changed or not")
    parser.add_argument("--approve", metavar="RUN", help="run the plan of that run as it was told")
    parser.add_argument("--retry", metavar="CODE", help="also rows that were set aside with this code or state")
    limit_option(parser)
    command(
        commands,
        "syncs",
        syncs,
        summary="the syncs, how their rows stand, and their last runs",
        text="List the syncs of loader.toml with the states of their rows and their last run.",
        examples="  loader syncs\n  loader syncs --json",
    )
    parser = command(
        commands,
        "rehearse",
        rehearse,
        summary="run a sync against a fake of its tool",
        text="Run a sync twice against a stand-in of its tool on this machine, and show what it holds then. Needs no\n"
        "token, and leaves what the real sync remembers alone.",
        examples="  loader rehearse vip",
    )
    parser.add_argument("name", metavar="NAME", help="a sync of loader.toml")


def sync(arguments: Arguments) -> int:
    """Run syncs one after the other, or tell their plans; one that fails does not stop the others."""
    if arguments.names[0] == "show":
        return _show(arguments)
    if arguments.full and not arguments.dry_run:
        raise ConfigError("--full is for --dry-run: a run encodes every row anyway")
    if arguments.approve and (len(arguments.names) > 1 or arguments.resync or arguments.retry or arguments.dry_run):
        raise ConfigError("--approve runs the plan of one sync as it is; name one, and no other option")
    config = settings(arguments)
    for name in arguments.names:
        _known(config, name)
    return _planned(config, arguments) if arguments.dry_run else _sent(config, arguments)


def _known(config: "Config", name: str) -> None:
    from loader.config.reading import nearest

    if name not in config.syncs:
        there = ", ".join(config.syncs) or "none"
        raise ConfigError(f"no sync {name!r}{nearest(name, config.syncs)}; loader.toml has {there}")


def _planned(config: "Config", arguments: Arguments) -> int:
    from loader import sync as flow  # slow to import, so after all that can be wrong

    plans = list[SyncPlan]()
    for name in arguments.names:
        with progress() as told:
            plan = flow.dry_run(
                config, name, resync=arguments.resync, retry=arguments.retry, full=arguments.full, progress=told
            )
        plans.append(plan)
        if not arguments.json:
            show(plan_page(plan))
    if arguments.json:
        answer_json(plans)
    return 0


def _sent(config: "Config", arguments: Arguments) -> int:
    from loader import sync as flow  # slow to import, so after all that can be wrong

    results, busy = list[SyncResult](), 0
    try:
        for name in arguments.names:
            try:
                with progress() as told:
                    done = flow.sync(
                        config,
                        name,
                        resync=arguments.resync,
                        approve=arguments.approve,
                        retry=arguments.retry,
                        progress=told,
                    )
            except LeaseError as error:
                complain(f"{name}: {error}")
                busy += 1
                continue
            results += done
            if not arguments.json:
                show(_pages(done))
    finally:
        if arguments.json:
            answer_json(results)
    return 1 if busy or not all(each.well for each in results) else 0


def _pages(results: Sequence[SyncResult]) -> Page:
    return [block for each in results for block in result_page(each)]


def _show(arguments: Arguments) -> int:
    if len(arguments.names) != 2:
        raise ConfigError("write `loader sync show RUN`; `loader syncs` names the last run of each sync")
    config = settings(arguments)
    from loader import sync as flow  # slow to import, so after all that can be wrong

    report = flow.show(config, arguments.names[1], limit=arguments.limit)
    answer(arguments, report, lambda: report_page(report))
    return 0


def syncs(arguments: Arguments) -> int:
    """List the syncs."""
    config = settings(arguments)
    from loader import sync as flow  # slow to import, so after all that can be wrong

    found = flow.syncs(config)
    answer(arguments, found, lambda: syncs_page(found))
    return 0


def rehearse(arguments: Arguments) -> int:
    """Run a sync against the fake of its tool."""
    config = settings(arguments, absent="rehearsal")
    _known(config, arguments.name)
    from loader import sync as flow  # slow to import, so after all that can be wrong

    with progress() as told:
        found = flow.rehearse(config, arguments.name, told)
    answer(arguments, found, lambda: rehearsal_page(found))
    return 0 if found.first.well and found.second.well else 1
