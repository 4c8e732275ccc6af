"""Destinations: which kinds there are, and whether one that is configured really works."""

from loader.config import Config
from loader.config.syncs import destination
from loader.config.syncs import kinds as known_kinds
from loader.core.sync_results import CheckResult, KindLine
from loader.errors import ConfigError, LoaderError
from loader.sync.edges import exchange


def kinds() -> list[KindLine]:
    """Return every kind of destination, as its file declares it."""
    found = []
    for kind in known_kinds():
        each = destination(kind)
        rates = tuple(f"{rate.requests:,} per {rate.seconds:g} s" for rate in each.limits.rates)
        found.append(
            KindLine(
                kind,
                each.title,
                tuple(sorted(mode.value for mode in each.modes)),
                each.identity,
                tuple(field.name for field in each.fields),
                each.extra is not None,
                each.limits.rows,
                each.limits.bytes,
                rates,
                each.resend.value,
                each.poll is not None,
                tuple(each.settings.__struct_fields__),
                each.docs,
            )
        )
    return found


def check(config: Config, name: str) -> CheckResult:
    """Log in and ask for what a sync needs, without changing anything. Raises ConfigError for an unknown name."""
    endpoint = config.destinations.get(name)
    if endpoint is None:
        known = ", ".join(sorted(config.destinations)) or "none"
        raise ConfigError(f"there is no destination {name!r} in the configuration; known are: {known}")
    with exchange(endpoint) as spoken:
        try:
            spoken.login()
            said = spoken.run(endpoint.destination.check)
        except LoaderError as error:
            return CheckResult(name, endpoint.common.kind, False, str(error))
    return CheckResult(name, endpoint.common.kind, True, said)
