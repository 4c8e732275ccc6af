"""What obstore and a bucket's service refuse, as our errors; and what was only an accident on the way.

obstore itself repeats what the service throttles or fails (429, 5xx), for some seconds, and goes on where the body of a
read was cut. It does not repeat a conditional write or a removal whose connection broke, a page of a listing that came
in half, nor what reached the service damaged (tried, 0.12.1, tests/storage/test_faults.py): those are repeated here.
"""

import random
import re
import time
from dataclasses import dataclass
from threading import Event

from obstore.exceptions import BaseError

from loader.errors import AccessError, StorageError

ATTEMPTS = 6
PATIENCE_SECONDS = 60.0  # with a service that was there: a restart, or throttling
_FIRST_WAIT_SECONDS = 0.1
_LONGEST = 6  # doublings of it
_NEVER = "501 Not Implemented"
# The services' error codes, and obstore's own words where it never got as far (docs.aws.amazon.com
# API/ErrorResponses.html, cloud.google.com/storage/docs/xml-api/reference-status).
_DENIED = re.compile(
    r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|TokenRefreshRequired"
    r"|AuthenticationRequired|40[13] (?:Forbidden|Unauthorized)|169\.254\.|security-credentials|AssumeRole"
    r"|token request"
)
_CLOCK = re.compile(r"<Code>Request(?:TimeTooSkewed|Expired)|reasonable timeframe")  # the latter is Google's
_ARCHIVED = "<Code>InvalidObjectState"
_KEY = re.compile(r"<Code>KMS\.|<Message>[^<]*\bkms:")
_REGION = re.compile(r"PermanentRedirect|AuthorizationHeaderMalformed|configured region|IllegalLocationConstraint")
CONFLICT = "ConditionalRequestConflict"
# What Amazon's own clients repeat too, of the refusals that obstore takes for final ones.
_ACCIDENT = re.compile(
    r"HTTP error: |Error getting list response body"
    rf"|<Code>(?:RequestTimeout|IncompleteBody|BadDigest|XAmzContentSHA256Mismatch|{CONFLICT})</Code>"
)
_GIVEN_UP = re.compile(r"after (\d+) retries, max_retries: \1\b")
_WHO = {"s3": "AWS_*", "gs": "GOOGLE_APPLICATION_CREDENTIALS"}


def translation(thing: str, error: Exception) -> StorageError:
    """Return our error for one of obstore's, whose text goes no further than its first line and the service's code.

    The rest is the service's answer, which can name the access key, and obstore's settings.
    """
    text = str(error)
    first = re.split(r"\n|: <\?xml|: <Error|\{", text, maxsplit=1)[0].strip()
    code = re.search(r"<Code>([\w.]+)</Code>", text)
    return refusal(thing, f"{first} ({code[1]})" if code else first, text)


def refusal(thing: str, found: str, text: str) -> StorageError:
    """Return our error by who must act, told from the whole `text`; `found` is what of it may be shown."""
    if "NoSuchBucket" in text:
        return StorageError(f"{thing}: the bucket does not exist; create it, or correct the url in loader.toml")
    if _ARCHIVED in text:
        return StorageError(f"{thing} is archived: {found}; restore it, or load a window without it (--from, --to)")
    if _CLOCK.search(text):
        return StorageError(f"{thing}: the clock of this machine is wrong: {found}; set it")
    if _KEY.search(text):
        return AccessError(
            f"{thing}: the key that encrypts it cannot be used: {found}; check it, its policy and `kms_key_id`"
        )
    if _DENIED.search(text):
        who = _WHO[thing.partition("://")[0]]
        return AccessError(
            f"{thing}: not permitted: {found}; check the credentials (`access` or {who}) and their policy"
        )
    if _REGION.search(text):
        return StorageError(
            f"{thing}: the bucket is in another region: {found}; set `region` in `access` or AWS_REGION"
        )
    return StorageError(f"{thing}: {found}")


def shown(key: str) -> str:
    """Return a key as a message shows it: on one line, whatever it holds."""
    return key if key.isprintable() else repr(key)


@dataclass(slots=True)
class Patience:
    """What was tried in vain of one call. Who never was there is told at once; who was may come back."""

    met: Event  # set once it has answered
    failures: int = 0
    began: float = 0.0

    def wait(self, error: Exception) -> bool:
        """Wait and return True if the same call may well succeed when it is made again; else return False."""
        self.began = self.began if self.failures else time.monotonic()
        self.failures += 1
        text = str(error)
        if not isinstance(error, BaseError | OSError) or _NEVER in text:
            return False
        if _GIVEN_UP.search(text):  # by obstore, whose ten waits are three seconds (tried)
            again = self.met.is_set() and time.monotonic() - self.began < PATIENCE_SECONDS
        else:
            again = self.failures < ATTEMPTS and bool(_ACCIDENT.search(text))
        if again:
            pause(self.failures)
        return again

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures = 0
        self.met.set()


def pause(failures: int) -> None:
    """Wait before a call is made again: longer after each failure, and never quite as long as another that waits."""
    time.sleep(_FIRST_WAIT_SECONDS * 2 ** min(failures, _LONGEST) * random.uniform(0.5, 1))
