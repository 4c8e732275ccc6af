"""What the server says: errors with BigQuery's reasons, and values as its REST API writes them."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# HTTP status of a job's error when a call answers with it (cloud.google.com/bigquery/docs/error-messages).
STATUS = {
    "notFound": 404,
    "duplicate": 409,
    "accessDenied": 403,
    "quotaExceeded": 403,
    "rateLimitExceeded": 403,
    "backendError": 503,
    "internalError": 500,
    "jobBackendError": 400,
    "jobInternalError": 400,
    "conditionNotMet": 412,
    "responseTooLarge": 403,
    "resourcesExceeded": 400,
    "billingNotEnabled": 403,
}


class RefusalError(Exception):
    """An answer other than success: of a call, or of a job."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message

    def body(self) -> dict[str, Any]:
        """Return the answer's body."""
        errors = [{"reason": self.reason, "message": self.message, "domain": "global"}]
        return {"error": {"code": self.status, "message": self.message, "errors": errors, "status": self.reason}}


class LostError(Exception):
    """The connection is to be cut without an answer."""


def refused(message: str, reason: str = "invalid") -> RefusalError:
    """Return a refusal for something that the caller did wrong."""
    return RefusalError(STATUS.get(reason, 400), reason, message)


def cell(value: Any) -> Any:
    """Return a value as a row of the REST API holds it."""
    return None if value is None else _CELLS.get(type(value), str)(value)


_CELLS: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: str(value).lower(),
    datetime: lambda value: str((value - _EPOCH) // _MICROSECOND) if value.tzinfo else value.isoformat(),
    bytes: lambda value: base64.b64encode(value).decode(),
    list: lambda value: [{"v": cell(each)} for each in value],
    dict: lambda value: {"f": [{"v": cell(each)} for each in value.values()]},
    float: repr,
}


def row(values: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row as the REST API writes it."""
    return {"f": [{"v": cell(value)} for value in values]}
