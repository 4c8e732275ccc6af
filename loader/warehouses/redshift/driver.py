"""A connection to Redshift, by Amazon's driver or by psycopg: both imported only when they are used.

It is in autocommit, and transactions are begun and ended by statement: what a driver begins by itself is never in the
way of what Redshift refuses inside a transaction.
"""

import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from loader.config.warehouses import Redshift
from loader.core.binding import formatted
from loader.core.cost import Cost
from loader.core.faults import failure
from loader.core.warehouse import Row
from loader.errors import ConfigError, WarehouseError
from loader.warehouses.redshift.faults import PATTERNS

_CONNECT_SECONDS = 60
_CANCEL_SECONDS = 1.0
_CANCEL = struct.pack("!ii", 16, 80877102)  # a CancelRequest: postgresql.org/docs/current/protocol-message-formats.html
_COUNTED = ("INSERT", "UPDATE", "DELETE")


class Link:
    """An open connection. Its errors are ours; `broken` says that it is of no more use."""

    def __init__(self, connection: Any, errors: tuple[type[Exception], ...], marks: Iterator[str]) -> None:
        self._connection, self._errors, self._marks = connection, errors, marks
        self.cost = Cost()  # of what ran since somebody set it to nothing
        self.broken = False

    def run(self, sql: str, values: Sequence[object] = (), *, what: str = "") -> list[Row]:
        """Run a statement with `?` for values; return its rows, or of an insert, update or delete the count.

        `what` names it in an error; else its first line does, so it must hold no secret.
        """
        began, mark = time.monotonic(), next(self._marks)
        try:
            return self._ran(sql, values, mark, what)
        except Exception:
            raise
        except BaseException:  # interrupted: whatever is said next on this connection would wait for the same answer
            self.cancel()
            raise
        finally:
            getattr(self._connection, "_caches", {}).clear()  # Amazon's driver keeps every text that it ever sent
            seconds = time.monotonic() - began
            self.cost = self.cost.plus(Cost(1, None, seconds, ((mark, seconds),)))

    def _ran(self, sql: str, values: Sequence[object], mark: str, what: str) -> list[Row]:
        with self.translated(what or _said(sql)), _closing(self._connection.cursor()) as cursor:
            text = f"/* loader {mark} */ {formatted(sql) if values else sql}"
            if values:
                cursor.execute(text, list(values))
            else:
                cursor.execute(text)
            if sql.lstrip()[:6].upper() in _COUNTED:
                return [(max(int(cursor.rowcount), 0),)]
            if cursor.description is None:
                return []
            return [tuple(map(_plain, row)) for row in cursor.fetchall()]

    @contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Raise the drivers' errors as ours, by what the caller can do about them."""
        try:
            yield
        except self._errors as error:
            codes, message = _told(error)
            self.broken = self.broken or not codes or codes[0].startswith(("08", "57P"))
            raise failure(PATTERNS, warehouse="Redshift", what=what, codes=codes, message=message) from None

    def cancel(self) -> None:
        """End what runs on the connection, and that; another thread may wait for its answer, which is an error then."""
        self.broken = True
        with suppress(Exception):  # the server may be what does not answer
            if hasattr(self._connection, "cancel_safe"):
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
                return
            wire = self._connection._usock
            with socket.create_connection(wire.getpeername()[:2], timeout=_CANCEL_SECONDS) as other:
                other.sendall(_CANCEL + self._connection._backend_key_data)
                other.recv(1)  # the server hangs up when it has done it
            wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection. Twice is fine."""
        self.broken = True
        with suppress(*self._errors):
            self._connection.close()
        wire = getattr(self._connection, "_usock", None)  # Amazon's driver says goodbye first, and where that fails…
        if wire is not None:
            wire.close()


def _said(sql: str) -> str:
    """Return the first line of a statement that is no comment."""
    lines = (line for line in sql.strip().split("\n") if not line.startswith("--"))
    return next(lines, "")[:120]


@contextmanager
def _closing(cursor: Any) -> Iterator[Any]:
    try:
        yield cursor
    finally:
        cursor.close()


def connect(settings: Redshift, marks: Iterator[str]) -> Link:
    """Return a new connection, ready for statements, each with one of the marks. ConfigError: no driver."""
    link = (_native if settings.driver == "redshift_connector" else _generic)(settings, marks)
    if settings.query_group:
        link.run("SET query_group TO '" + settings.query_group.replace("'", "''").replace("\\", "\\\\") + "'")
    return link


def _native(settings: Redshift, marks: Iterator[str]) -> Link:
    try:
        import redshift_connector
        from redshift_connector.error import Error
    except ImportError as error:
        raise _missing("redshift_connector") from error
    given: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "database": settings.database,
        "timeout": _CONNECT_SECONDS,
        "application_name": "warehouse-loader",
        "tcp_keepalive": True,
        "max_prepared_statements": 0,  # hardly a text comes twice, and the server would keep a thousand
    }
    given |= {"ssl": False} if settings.sslmode == "disable" else {"ssl": True, "sslmode": settings.sslmode}
    errors = (Error, OSError, AttributeError, ValueError, IndexError)  # what its reader raises where a line breaks
    try:
        connection = redshift_connector.connect(**given, **identity(settings))
        connection.autocommit = True
    except errors as error:
        raise _refused(settings, error) from None
    # The time-out was for the log-in: a COPY may be silent for an hour.
    connection._usock.settimeout(None)
    return Link(connection, errors, marks)


def identity(settings: Redshift) -> dict[str, Any]:
    """Return who we are: a password, or AWS credentials that Redshift gives a temporary one for."""
    if settings.password is not None:
        return {"user": settings.user, "password": settings.password.reveal()}
    found: dict[str, Any] = {"iam": True, "region": settings.region, "profile": settings.profile}
    if settings.workgroup:
        return found | {"is_serverless": True, "serverless_work_group": settings.workgroup}
    return found | {"cluster_identifier": settings.cluster, "db_user": settings.user}


def _generic(settings: Redshift, marks: Iterator[str]) -> Link:
    try:
        import psycopg
    except ImportError as error:
        raise _missing("psycopg") from error
    given: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "dbname": settings.database,
        "user": settings.user,
        "password": settings.password.reveal() if settings.password is not None else None,
        "sslmode": settings.sslmode,
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "warehouse-loader",
        "client_encoding": "utf8",  # the server calls it UNICODE, which psycopg does not know
    }
    if settings.sslmode != "disable":
        given["sslrootcert"] = settings.root_certificate_file or "system"
    errors = (psycopg.Error, OSError)
    try:
        return Link(psycopg.connect(**given, autocommit=True, prepare_threshold=None), errors, marks)
    except errors as error:
        raise _refused(settings, error) from None


def _missing(driver: str) -> ConfigError:
    return ConfigError(
        f"[warehouse] is redshift with the driver {driver}, which is not installed; "
        "run `pip install 'warehouse-loader[redshift]'`"
    )


def _refused(settings: Redshift, error: Exception) -> WarehouseError:
    codes, message = _told(error)
    what = f"connecting to {settings.host}:{settings.port}/{settings.database}"
    return failure(PATTERNS, warehouse="Redshift", what=what, codes=codes, message=message)


def _told(error: Exception) -> tuple[tuple[str, ...], str]:
    """Return the codes and the message of a driver's error; no code where the server did not say anything."""
    first = error.args[0] if error.args else ""
    if isinstance(first, dict):  # redshift_connector: the fields of the server's answer
        message, code = first.get("M", ""), first.get("C", "")
        detail = " ".join(first.get("D", "").split())
        codes = (code, message) if message.isdigit() else (code,)  # 1023 is all that the message says
        return codes, f"{message}: {detail}" if detail else message
    state = getattr(error, "sqlstate", None)
    if state:
        diagnosis = error.diag  # type: ignore[attr-defined]  # psycopg's
        message, detail = diagnosis.message_primary or "", " ".join((diagnosis.message_detail or "").split())
        codes = (state, message) if message.isdigit() else (state,)
        return codes, f"{message}: {detail}" if detail else message
    text = str(error) or type(error).__name__
    known = "password authentication failed" in text or "certificate" in text
    return (), text if known else f"the connection is closed: {text}"


def _plain(value: Any) -> Any:
    """Return a value as sessions give it: times in UTC, whole decimals (of sums) as integers."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
