"""BigQuery's errors: which reason means what, and what to do.

Reasons and their remedies: cloud.google.com/bigquery/docs/error-messages, read 2026-11. Conflicts between transactions
have no reason of their own, only a message (as quoted in github.com/googleapis and dlt-hub/dlt issue 2892).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from loader.core.faults import Fault, Pattern, failure

_AGAIN = "it is tried again; if it stays so, see status.cloud.google.com"
_LATER = "wait, then run again: the load continues; raise the quota if this happens often"
_GRANT = (
    "grant this account `roles/bigquery.jobUser` on the project, and on its datasets `roles/bigquery.dataEditor` "
    "(`roles/bigquery.user` on the project lets it make them)"
)
FAULTS: tuple[Pattern, ...] = (
    Pattern(
        Fault.TRANSIENT,
        "another transaction changed the same table; it is tried again",
        text=r"due to concurrent update|transaction is aborted|aborted by (?:a )?concurrent",
    ),
    Pattern(
        Fault.CREDENTIALS,
        "log in with `gcloud auth application-default login`, or set `credentials_file` in [warehouse]",
        codes=("credentials", "authError", "invalidCredentials", "401"),
    ),
    Pattern(Fault.PERMISSION, "enable billing for the project", codes=("billingNotEnabled",)),
    Pattern(
        Fault.PERMISSION, "enable the BigQuery API for the project", codes=("accessNotConfigured", "SERVICE_DISABLED")
    ),
    Pattern(
        Fault.PERMISSION,
        "grant this account `roles/storage.objectViewer` on the bucket of [staging], which load jobs read",
        codes=("accessDenied", "forbidden"),
        text=r"gs://|storage\.objects|cloud storage",
    ),
    Pattern(Fault.PERMISSION, _GRANT, codes=("accessDenied", "forbidden")),
    Pattern(Fault.RATE, _AGAIN, codes=("rateLimitExceeded", "jobRateLimitExceeded", "429")),
    Pattern(
        Fault.DATA,
        "one load has rows of more than 4,000 days; load it in shares, with `loader load --from … --to …`",
        codes=("quotaExceeded",),
        text="too many partitions",
    ),
    Pattern(Fault.CAPACITY, _LATER, codes=("quotaExceeded", "resourcesExceeded", "tableUnavailable")),
    # An object that was just written is not always found (googleapis/google-cloud-node 1177, mozilla/gcp-ingestion
    # 1261); one that is gone is written again.
    Pattern(Fault.TRANSIENT, _AGAIN, codes=("notFound",), text="uri gs://"),
    Pattern(
        Fault.MISSING,
        "use a bucket for [staging] that is in `location` of [warehouse], or a folder",
        text="cannot read and write in different locations",
    ),
    Pattern(
        Fault.MISSING, "correct `project` or `location` in [warehouse]", codes=("notFound",), text="project|location"
    ),
    Pattern(Fault.MISSING, "see whether somebody dropped it, then run again", codes=("notFound",)),
    Pattern(
        Fault.DATA,
        "please report it: a value should have been set aside",
        text=r"bad (?:int64|double|bool|timestamp|json) value|invalid (?:json|timestamp|cast)|overflow"
        r"|could not (?:cast|parse|convert)|syntax error while parsing value",
    ),
    Pattern(
        Fault.SCHEMA,
        "see whether somebody changed the table; `loader tables --columns` shows what the loader knows",
        text=r"does not match|has changed type|cannot be inserted into column|column .* (?:not found|is not present)"
        r"|unrecognized name|cannot add fields|already exists: column",
    ),
    Pattern(Fault.SCHEMA, "rename or drop what is there under this name", codes=("duplicate",)),
    Pattern(
        Fault.TRANSIENT,
        _AGAIN,
        codes=("backendError", "internalError", "jobBackendError", "jobInternalError", "stopped", "timeout", "5*"),
    ),
    Pattern(Fault.TRANSIENT, "see whether the network and the address are right; it is tried again", ("connection",)),
)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise the errors of Google's libraries as ours, by what the caller can do about them."""
    import requests  # a part of google-cloud-bigquery, which is optional
    from google.api_core import exceptions
    from google.auth import exceptions as auth

    try:
        yield
    except auth.TransportError as error:
        raise _error(what, ("connection",), _said(error)) from error
    except auth.GoogleAuthError as error:
        raise _error(what, ("credentials",), _said(error)) from error
    except exceptions.RetryError as error:
        cause = error.cause
        raise _error(what, (*_codes(cause), "timeout"), _message(cause) if cause else str(error)) from error
    except exceptions.GoogleAPICallError as error:
        raise _error(what, _codes(error), _message(error)) from error
    except (requests.exceptions.RequestException, TimeoutError) as error:
        raise _error(what, ("connection",), type(error).__name__) from error


def failed(what: str, result: dict[str, Any]) -> Exception:
    """Return the error to raise for a job whose status has this error."""
    return _error(what, (str(result.get("reason", "")),), str(result.get("message", "")))


def _error(what: str, codes: tuple[str, ...], message: str) -> Exception:
    # What comes behind "value:" is somebody's value.
    private = re.sub(r"(\bvalue:? )\S.*", r"\1…", message)
    return failure(FAULTS, warehouse="BigQuery", what=what, codes=codes, message=private)


def _codes(error: Any) -> tuple[str, ...]:
    listed = [each.get("reason", "") for each in getattr(error, "errors", ()) if isinstance(each, dict)]
    return (*filter(None, listed), str(int(getattr(error, "code", 0) or 0)))


def _message(error: Any) -> str:
    listed = [each.get("message", "") for each in getattr(error, "errors", ()) if isinstance(each, dict)]
    return next(filter(None, listed), "") or str(getattr(error, "message", error))


def _said(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__
