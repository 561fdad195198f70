"""From an exception to what the database and the user are told, and whether to try again."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator

from omnifex.errors import USER_ERRORS, GenerationFailed
from omnifex.plugins import said
from omnifex_jobs import JobError
from omnifex_jobs.errors import DatabaseAway, DatabaseBusy, DiskFull

# What may be over in a moment; everything else would fail the same way again.
PASSING = (MemoryError, ConnectionError, DatabaseAway, DatabaseBusy, DiskFull)
FIRST_DELAY_S, LONGEST_DELAY_S = 5.0, 300.0


def job_error(error: BaseException, place: str) -> JobError:
    """One sentence with a stable code; `place` is named where the disk is full."""
    if full := next((cause for cause in causes(error) if disk_is_full(cause)), None):
        error = full if isinstance(full, DiskFull) else DiskFull(place)
    retryable = any(may_pass(cause) for cause in causes(error))
    if isinstance(error, USER_ERRORS):
        return JobError(str(getattr(error, "code", "error")), str(error), retryable)
    message = f"{said(error)}; this is a fault of Omnifex or of a plugin, not of the request."
    return JobError("internal", message, retryable)


def unexpected(error: BaseException) -> bool:
    """Whether a developer needs the traceback."""
    return isinstance(error, GenerationFailed) or not isinstance(error, USER_ERRORS)


def retry_delay(error: JobError, attempt: int) -> float | None:
    """Seconds until the next attempt, doubling, spread by a tenth; None where it would not help."""
    return delay_after(attempt) if error.retryable else None


def delay_after(attempt: int) -> float:
    """Seconds: 5, 10, 20 … at most 300, and a tenth more or less, so that not all come at once."""
    delay = min(FIRST_DELAY_S * 2.0 ** (attempt - 1), LONGEST_DELAY_S)
    return delay * random.uniform(0.9, 1.1)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def disk_is_full(error: BaseException) -> bool:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or isinstance(error, DiskFull)


def may_pass(error: BaseException) -> bool:
    # torch's own class has no import-free name; other jobs may have filled the device.
    out_of_memory = type(error).__name__ == "OutOfMemoryError"
    return isinstance(error, PASSING) or out_of_memory or bool(getattr(error, "retryable", False))
