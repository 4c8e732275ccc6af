"""Every exception of the project, one class per reaction of the caller.

A message names the thing, what was found, what was wanted and what to do; never a secret, never a person's data.
"""


class LoaderError(Exception):
    """Something a user can act on; shown as one line, without a traceback."""

    transient = False  # whether the same call may succeed later, unchanged


class ConfigError(LoaderError):
    """The configuration or the command line is wrong: nothing was done. Exit code 2."""


class StorageError(LoaderError):
    """An object store refused or failed a call."""


class ObjectChangedError(StorageError):
    """The object was deleted or rewritten since it was listed: this version of it is gone."""


class AccessError(StorageError):
    """The credentials or permissions do not allow the call."""


class CapacityError(LoaderError):
    """No room left: disk, memory or quota. Free some, then run again."""


class WarehouseError(LoaderError):
    """The warehouse refused or failed a statement. `fault` is who must act, a value of `core.faults.Fault`."""

    def __init__(self, message: str, fault: str = "unknown") -> None:
        super().__init__(message)
        self.fault = fault


class WarehouseBusyError(WarehouseError):
    """The same may work later: no capacity, too many calls, or a connection that broke. What was asked may be done."""

    transient = True


class WarehouseLockedError(WarehouseError):
    """Another process holds the warehouse."""

    transient = True


class LeaseError(LoaderError):
    """Another load works on this source."""

    transient = True


class WorkerError(LoaderError):
    """A worker process died; the load stands where it was and the next run continues it."""

    transient = True


class CorruptFileError(LoaderError):
    """A file's compressed bytes are cut short or damaged; carries the quarantine reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class AnswerError(LoaderError):
    """A tool answered with something that nobody can read, like a page instead of JSON. Nothing is known then."""

    transient = True


class DestinationError(LoaderError):
    """A tool refuses everything: the credentials, a permission or a setting is wrong. Nothing more is sent."""
