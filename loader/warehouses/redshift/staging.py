"""Parts in S3 → staging tables, by COPY with a manifest; and the target's VARCHARs made long enough for them.

COPY of Parquet goes by position and takes all columns of a file, so files with the same columns share a COPY, and the
common columns of `tracks` are read from the staging tables of the event tables whose files they are in.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import RLock

from loader.config.warehouses import Redshift
from loader.core.cost import Cost
from loader.core.dialect import fitted, literal, quoted
from loader.core.objects import find
from loader.core.report import Part
from loader.core.spec import PROFILES
from loader.core.staging import Delivery, Group, Staged, groups, physical, staged_type, staging_table
from loader.core.types import ColumnType
from loader.core.warehouse import Site
from loader.errors import ConfigError, WarehouseError
from loader.warehouses.redshift.dialect import DIALECT, MAX_TEXT_BYTES, STAGING
from loader.warehouses.redshift.driver import Link

_MAX_NAME_BYTES = 63  # shorter than it must be: names that PostgreSQL could hold, too
_UNIONS = 20  # tables read in one statement
_LEAST_BYTES = 64  # that numbers and times need at most, as text
_BOTH = frozenset((ColumnType.STRING, ColumnType.JSON))


class Staging:
    """The staging tables of one warehouse. One delivery at a time: a COPY is spread over the cluster by itself."""

    def __init__(self, settings: Redshift, site: Site) -> None:
        self._settings, self._site, self._lock = settings, site, RLock()
        self._there: dict[str, tuple[str, ...]] = {}  # staging table → the keys of the parts in it

    def deliver(self, link: Link, delivery: Delivery) -> list[Staged]:
        """Return the delivery's parts in staging tables, made anew unless this process has just made them."""
        with self._lock:
            before = link.cost
            staged = self._common(link, delivery) if delivery.of else self._whole(link, delivery)
            _lengthen(link, delivery, staged)
            return [
                Staged(name, group.columns, link.cost.minus(before) if not at else Cost())
                for at, (name, group) in enumerate(staged)
            ]

    def drop(self, link: Link, tables: Iterable[str]) -> None:
        """Drop staging tables by their relations."""
        with self._lock:
            for table in tables:
                self._there.pop(table, None)
                link.run(f"DROP TABLE IF EXISTS {table}")

    def _whole(self, link: Link, delivery: Delivery) -> list[tuple[str, Group]]:
        return [(self._copied(link, delivery, at, group), group) for at, group in enumerate(groups(delivery.parts))]

    def _copied(self, link: Link, delivery: Delivery, at: int, group: Group) -> str:
        """Return the staging table of a group, filled."""
        table, keys = _table(delivery, at), tuple(part.key for part in group.parts)
        if self._there.get(table) == keys:
            return table
        columns = physical(delivery, group.columns)
        manifests: list[str] = []
        try:
            with _transaction(link):
                _create(link, table, columns)
                for names, parts in _alike(delivery, group.parts):
                    manifest = f"{parts[0].key}.manifest"
                    manifests.append(manifest)
                    self._copy(link, table, names, manifest, parts)
        except WarehouseError as error:
            reason = _load_error(link)
            raise type(error)(f"{error}{reason}", error.fault) from None if reason else error
        finally:
            self._site.staging.delete(manifests)
        self._there[table] = keys
        return table

    def _copy(self, link: Link, table: str, names: Sequence[str], manifest: str, parts: Sequence[Part]) -> None:
        url = self._site.staging.url
        if not url.startswith("s3://"):
            raise ConfigError(
                f"[staging] is {url}, and Redshift reads only from S3; set its `url` to s3://bucket/prefix"
            )
        # Parquet needs the sizes (loading-data-files-using-manifest.html).
        entries = [
            {"url": f"{url}/{part.key}", "mandatory": True, "meta": {"content_length": self._size(part)}}
            for part in parts
        ]
        self._site.staging.write(manifest, json.dumps({"entries": entries}).encode())
        listed = ", ".join(quoted(DIALECT, name) for name in names)
        link.run(
            f"COPY {table} ({listed}) FROM {literal(DIALECT, f'{url}/{manifest}')} {self._credentials()} "
            "MANIFEST FORMAT AS PARQUET",
            what=f"COPY into {table} of {len(parts)} files at {url}/{parts[0].key}",
        )

    def _size(self, part: Part) -> int:
        if part.size:
            return part.size
        found = find(self._site.staging, part.key)
        return found.size if found else 0

    def _credentials(self) -> str:
        own = self._settings
        if own.iam_role:
            return "IAM_ROLE DEFAULT" if own.iam_role == "default" else f"IAM_ROLE {literal(DIALECT, own.iam_role)}"
        if own.access_key_id is None or own.secret_access_key is None:
            raise ConfigError("[warehouse] has neither `iam_role` nor keys, so Redshift cannot read staging; set one")
        keys = {"ACCESS_KEY_ID": own.access_key_id, "SECRET_ACCESS_KEY": own.secret_access_key}
        keys |= {"SESSION_TOKEN": own.session_token} if own.session_token is not None else {}
        return " ".join(f"{name} {literal(DIALECT, key.reveal())}" for name, key in keys.items())

    def _common(self, link: Link, delivery: Delivery) -> list[tuple[str, Group]]:
        """Return the columns that event tables share, in tables of their own: one for each way to spell them."""
        sources = {key: found for each in delivery.of for key, found in self._sources(link, each)}
        made = []
        for at, group in enumerate(groups(delivery.parts)):
            table, columns = _table(delivery, at), physical(delivery, group.columns)
            names = sorted({sources[part.key] for part in group.parts}, key=lambda each: each[0])
            with _transaction(link):
                _create(link, table, columns)
                for start in range(0, len(names), _UNIONS):
                    link.run(_gather(table, columns, names[start : start + _UNIONS]), what=f"filling {table}")
            made.append((table, group))
        return made

    def _sources(self, link: Link, delivery: Delivery) -> Iterator[tuple[str, tuple[str, frozenset[str]]]]:
        """Yield key → the staging table that the part is in and its columns, for the parts of an event table."""
        for table, group in self._whole(link, delivery):
            columns = frozenset(physical(delivery, group.columns))
            for part in group.parts:
                yield part.key, (table, columns)


def _table(delivery: Delivery, at: int) -> str:
    return quoted(DIALECT, STAGING, fitted(staging_table(DIALECT, delivery, at), _MAX_NAME_BYTES))


def _create(link: Link, table: str, columns: dict[str, ColumnType]) -> None:
    link.run(f"DROP TABLE IF EXISTS {table}")
    lines = ", ".join(f"{quoted(DIALECT, name)} {staged_type(DIALECT, kind)}" for name, kind in columns.items())
    link.run(f"CREATE TABLE {table} ({lines})", what=f"creating {table}")


def _gather(table: str, columns: dict[str, ColumnType], sources: Sequence[tuple[str, frozenset[str]]]) -> str:
    """Return the statement that adds the rows of staging tables to another, as far as they have its columns."""
    listed = ", ".join(quoted(DIALECT, name) for name in columns)
    selects = [
        "SELECT "
        + ", ".join(
            quoted(DIALECT, name) if name in there else f"CAST(NULL AS {staged_type(DIALECT, kind)})"
            for name, kind in columns.items()
        )
        + f" FROM {source}"
        for source, there in sources
    ]
    return f"INSERT INTO {table} ({listed})\n" + "\nUNION ALL\n".join(selects)


def _alike(delivery: Delivery, parts: Sequence[Part]) -> list[tuple[list[str], list[Part]]]:
    """Return the parts by the columns that they have, in the order of the file."""
    found: dict[tuple[str, ...], list[Part]] = {}
    for part in parts:
        found.setdefault(tuple(physical(delivery, part.columns)), []).append(part)
    return [(list(names), members) for names, members in found.items()]


def _lengthen(link: Link, delivery: Delivery, staged: Sequence[tuple[str, Group]]) -> None:
    """Make the target's VARCHARs long enough. Each commits by itself, so it may be done already: twice is fine.

    A column gets twice what its longest value needs, so that this is rare.
    """
    texts = {name for name, each in delivery.columns.items() if each.type is ColumnType.STRING}
    needed: dict[str, int] = {}
    for table, group in staged:
        columns = physical(delivery, group.columns)
        chosen = [name for name in columns if name.removesuffix("#text") in texts and columns[name] in _BOTH]
        if chosen:
            longest = ", ".join(f"max(octet_length({quoted(DIALECT, name)}))" for name in chosen)
            [row] = link.run(f"SELECT {longest} FROM {table}", what=f"measuring {table}")
            for name, size in zip(chosen, row, strict=True):
                column = name.removesuffix("#text")
                needed[column] = max(needed.get(column, _LEAST_BYTES), int(size or 0))
    profile = next((name for name, (source, *_) in PROFILES.items() if source == delivery.table), None)
    for target in (delivery.table, profile):
        if target is not None and needed:
            _alter(link, delivery.schema, target, needed)


def _alter(link: Link, schema: str, table: str, needed: dict[str, int]) -> None:
    found = link.run(
        "SELECT column_name, character_maximum_length FROM svv_columns "
        "WHERE table_schema = ? AND table_name = ? AND data_type = 'character varying'",
        [schema, table],
    )
    have = {str(name): int(size) for name, size in found}
    for name, size in sorted(needed.items()):
        if name not in have or size <= have[name]:
            continue
        room = min(1 << (2 * size - 1).bit_length(), MAX_TEXT_BYTES)
        column = f"{quoted(DIALECT, schema, table)} ALTER COLUMN {quoted(DIALECT, name)}"
        try:
            link.run(f"ALTER TABLE {column} TYPE VARCHAR({room})")
        except WarehouseError as error:
            if "should be different" not in str(error):  # another load has just made it so long
                raise


def _load_error(link: Link) -> str:
    """Return what Redshift wrote down about a COPY that failed, as a phrase; "" if there is nothing."""
    if link.broken:
        return ""
    recent = "start_time > DATEADD(minute, -5, GETDATE())"
    with suppress(WarehouseError, IndexError):
        [(pid,)] = link.run("SELECT pg_backend_pid()")
        rows = link.run(
            "SELECT file_name, column_name, column_type, column_length, error_message FROM sys_load_error_detail "
            f"WHERE session_id = {int(pid)} AND {recent} ORDER BY start_time DESC LIMIT 1"
        )
        return _phrase(*rows[0])
    with suppress(WarehouseError, IndexError):  # a provisioned cluster may let us see only this one
        rows = link.run(
            "SELECT filename, colname, type, col_length, err_reason FROM stl_load_errors "
            f"WHERE session = {int(pid)} AND {recent.replace('_', '')} ORDER BY starttime DESC LIMIT 1"
        )
        return _phrase(*rows[0])
    return ""


def _phrase(file: str, column: str, kind: str, size: str, reason: str) -> str:
    length = f"({size.strip()})" if size and size.strip() not in ("", "0") else ""
    where = f", column {column.strip()} {kind.strip()}{length}" if column and column.strip() else ""
    return f" [{(file or '').strip()}{where}: {(reason or '').strip()}]"


@contextmanager
def _transaction(link: Link) -> Iterator[None]:
    link.run("BEGIN")
    try:
        yield
    except BaseException:
        with suppress(WarehouseError):
            link.run("ROLLBACK")
        raise
    link.run("COMMIT")
