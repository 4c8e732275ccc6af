"""What a single setting's type cannot say: names, urls, layouts, and settings that only fit together."""

import re
from collections.abc import Mapping
from datetime import date

from loader.config.access import Access
from loader.config.reading import Place, nearest
from loader.config.records import Dagster, Source

PLACEHOLDERS = ("yyyy", "mm", "dd", "hh", "day_ms", "source")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
_OURS = ("loader", "loader_doctor")  # the schemas of our own tables
_SCHEMES = ("s3", "gs")
_BUCKETS = "s3://bucket/prefix or gs://bucket/prefix"
_GS_SETTINGS = {"service_account_file"}
_S3_SETTINGS = {name for name in Access.__struct_fields__ if name not in {"endpoint", *_GS_SETTINGS}}


def check_source(name: str, source: Source, others: Mapping[str, Source], place: Place) -> None:
    """Raise ConfigError unless the source is whole in itself and shares no schema with the others."""
    for key, word in (("", name), ("schema", source.schema)):
        if not _IDENTIFIER.fullmatch(word):
            raise place.error(key, f"{word!r} is no name; use small letters, digits and _, and no digit first")
        if word in _OURS:
            raise place.error(key, f"{word!r} is the schema of the loader's own tables; choose another name")
    for other, settings in others.items():
        if settings.schema == source.schema:
            raise place.error("schema", f"{source.schema!r} is that of source {other!r} too; give each its own")
    check_url(source.url, place)
    check_access(source.access, source.url, place)
    if source.layout is not None:
        _check_layout(source.layout, source.partition, place)


def check_url(url: str, place: Place) -> None:
    """Raise ConfigError unless the url is a path, or starts with a scheme we know."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", url)
    if not url:
        raise place.error("url", f"is empty; write a folder, {_BUCKETS}")
    if scheme and scheme[1] not in _SCHEMES:
        raise place.error("url", f"{scheme[1]}: is no kind of store; write a folder, {_BUCKETS}")
    if scheme and not re.fullmatch(r"[a-z0-9]+://[^/@]+(/[^@]*)?", url):
        raise place.error("url", f"expected {scheme[1]}://bucket or {scheme[1]}://bucket/prefix, without credentials")


def check_access(access: Access | None, url: str, place: Place) -> None:
    """Raise ConfigError where access settings contradict each other, or the url."""
    if access is None:
        return
    if "://" not in url:
        raise place.error("access", f"is for buckets, and url {url!r} is a folder; remove one of the two")
    ours = _GS_SETTINGS if url.startswith("gs:") else _S3_SETTINGS
    for name in sorted((_S3_SETTINGS | _GS_SETTINGS) - ours):
        if getattr(access, name) is not None:
            raise place.error("access", f"has {name}, which means nothing for url {url!r}; remove it")
    if (access.access_key_id is None) != (access.secret_access_key is None):
        raise place.error("access", "has one of access_key_id and secret_access_key; set both, or neither")
    if access.session_token is not None and access.access_key_id is None:
        raise place.error("access", "has a session_token without access_key_id; set both, or neither")
    if access.profile is not None and access.access_key_id is not None:
        raise place.error("access", "has a profile and keys; remove one of the two")
    if access.endpoint is not None and not re.fullmatch(r"https?://[^/@]+/?", access.endpoint):
        raise place.error("access", "has an endpoint that is no address; write http(s)://host:port without credentials")


def check_dagster(settings: Dagster, place: Place) -> None:
    """Raise ConfigError unless the date is one, and owners and addresses are such."""
    try:
        date.fromisoformat(settings.start)
    except ValueError:
        raise place.error("start", f'{settings.start!r} is no date; write one like "2024-01-01"') from None
    for owner in settings.owners:
        if not re.fullmatch(r"team:\w+|[^@\s]+@[^@\s]+", owner):
            raise place.error("owners", f'{owner!r} is no owner; write an e-mail address, or "team:name"')
    if settings.sync_every is not None and not re.fullmatch(r"[-*,/0-9]+( [-*,/0-9]+){4}", settings.sync_every):
        raise place.error("sync_every", f'{settings.sync_every!r} is no time table; write five fields like "0 6 * * *"')
    if settings.url is not None and not re.fullmatch(r"https?://[^\s@]+", settings.url):
        raise place.error("url", "is no address; write http(s)://host:port without credentials")


def _check_layout(layout: str, partition: str, place: Place) -> None:
    used = re.findall(r"\{([^{}]*)\}", layout)
    for word in used:
        if word not in PLACEHOLDERS:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise place.error(
                "layout", f"{{{word}}} is no placeholder{nearest(word, PLACEHOLDERS)}; allowed are {known}"
            )
    if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", layout)):
        raise place.error("layout", f"{layout!r} has a brace without its other half; placeholders are like {{yyyy}}")
    if "day_ms" not in used and not {"yyyy", "mm", "dd"} <= set(used):
        raise place.error("layout", f"{layout!r} does not tell the day; add {{yyyy}}, {{mm}} and {{dd}}, or {{day_ms}}")
    if partition == "hour" and "hh" not in used:
        raise place.error("layout", f'{layout!r} does not tell the hour; add {{hh}}, or set partition = "day"')
