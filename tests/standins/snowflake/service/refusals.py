"""What Snowflake refuses, with its error numbers and SQLSTATEs; and what closes a connection instead of an answer.

Numbers as the connector's documentation and its users report them; wording is ours where it is not public.
"""


class RefusedError(Exception):
    """A statement is refused: error number, SQLSTATE, message."""

    def __init__(self, code: int, state: str, message: str) -> None:
        super().__init__(message)
        self.code, self.state, self.message = code, state, message


class CutError(Exception):
    """The connection is to be closed without an answer."""


class UnavailableError(Exception):
    """The answer is an HTTP status without a body."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
