"""The settings of a command: loader.toml as named on the command line, and the sources it is about."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from loader.commands.arguments import Arguments
from loader.errors import ConfigError

if TYPE_CHECKING:
    from loader.config import Config


def settings(arguments: Arguments, *, absent: str | None = None) -> "Config":
    """Read the settings file. `absent` stands for secrets that are not in the environment. Raises ConfigError."""
    from loader.config import load_config

    return load_config(arguments.config, absent=absent)


def chosen(config: "Config", names: Sequence[str]) -> tuple[str, ...]:
    """Return the sources named, each once; all of them where none is named. Raises ConfigError."""
    if not config.sources:
        raise ConfigError("loader.toml has no source; add a table [sources.NAME] with a url")
    return tuple(dict.fromkeys(known(config, name) for name in names)) or tuple(config.sources)


def known(config: "Config", name: str) -> str:
    """Return the name if it is that of a source. Raises ConfigError."""
    from loader.config.reading import nearest

    if name not in config.sources:
        sources = ", ".join(config.sources) or "none"
        raise ConfigError(f"no source {name!r}{nearest(name, config.sources)}; loader.toml has {sources}")
    return name


def secrets(config: "Config") -> Iterator[str]:
    """Yield the secrets that the settings hold, so that no message shows one."""
    for access in (config.staging.access, *(source.access for source in config.sources.values())):
        for secret in (access.access_key_id, access.secret_access_key, access.session_token) if access else ():
            if secret is not None:
                yield secret.reveal()
    if config.destinations:
        from loader.config.syncs import secrets as of_destinations

        yield from of_destinations(config.destinations.values())
