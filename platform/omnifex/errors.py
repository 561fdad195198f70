"""What a user may see go wrong: each class has a stable code, each message one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, ClassVar

# All errors that are the user's to read, of every package; looked up late (see __getattr__).
USER_ERRORS: tuple[type[Exception], ...]


def __getattr__(name: str) -> Any:
    """Resolve USER_ERRORS on first use, so that raising an error never imports SQLAlchemy."""
    if name != "USER_ERRORS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from omnifex_jobs.errors import JobsError
    from omnifex_registry.errors import RegistryError

    return (OmnifexError, JobsError, RegistryError)


class OmnifexError(Exception):
    """A failure that is shown to the user as its message alone, without a traceback."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False


class InvalidRequest(OmnifexError):
    """A request that its modality's type, its family or its model cannot accept."""

    code = "invalid_request"


class UnknownSampler(InvalidRequest):
    """A sampler that nobody knows, or that does not fit the backbone's kind."""

    code = "unknown_sampler"


class UnknownModality(OmnifexError):
    """A modality that no installed plugin supplies."""

    code = "unknown_modality"

    def __init__(self, name: str, known: Iterable[str], hint: str = "") -> None:
        choices = sorted(known)
        installed = ", ".join(choices) or "none"
        message = f"no modality {name!r}{closest(name, choices)}; installed: {installed}"
        super().__init__(message + (f" ({hint})." if hint else "."))


class UnsuitableModel(OmnifexError):
    """A registered model that no installed family can use for this modality."""

    code = "unsuitable_model"


class UnreadableInput(OmnifexError):
    """An input file that is missing, broken, or not of the kind that was asked for."""

    code = "unreadable_input"


class PluginError(OmnifexError):
    """A plugin that broke the contract; the message names it."""

    code = "plugin_error"


class GenerationFailed(PluginError):
    """A family or one of its components raised in the middle of a job."""

    code = "generation_failed"


class JobFailed(OmnifexError):
    """The job whose result was awaited ended in failure; the message is the job's own."""

    code = "job_failed"

    def __init__(self, job_id: str, code: str, message: str) -> None:
        super().__init__(f"job {job_id} failed ({code}): {message}")
        self.job_id, self.job_code, self.job_message = job_id, code, message


class JobCanceled(OmnifexError):
    """The job whose result was awaited was canceled."""

    code = "job_canceled"

    def __init__(self, job_id: str, reason: str = "") -> None:
        super().__init__(f"job {job_id} was canceled" + (f": {reason}." if reason else "."))
        self.job_id, self.reason = job_id, reason


class Canceled(BaseException):
    """The verb that unwinds a job's thread; no `except Exception` of a pipeline swallows it."""

    code: ClassVar[str] = "canceled"


def closest(name: str, choices: Iterable[str]) -> str:
    """', did you mean X?' without its question mark, or nothing where nothing is close."""
    matches = difflib.get_close_matches(name, list(choices), n=2)
    return f", did you mean {' or '.join(map(repr, matches))}" if matches else ""
