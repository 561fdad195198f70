"""What can go wrong with jobs and their files, one class each; shown to the user as it stands."""

from __future__ import annotations

from collections.abc import Sequence


class JobsError(Exception):
    """Base of all errors here: a stable `code` for programs, one sentence for people."""

    code = "jobs"


class JobNotFound(JobsError):
    code = "job_not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"No job {job_id!r} in this database; `omnifex jobs list` shows them.")


class ForeignJob(JobsError):
    code = "foreign_job"

    def __init__(self, job_id: str, owner: str) -> None:
        super().__init__(
            f"Job {job_id!r} belongs to somebody else than {owner!r}; give a job of your own, or a "
            "copy of its file."
        )


class DependencyCycle(JobsError):
    """Jobs that wait for each other in a ring, so that none could ever start."""

    code = "dependency_cycle"

    def __init__(self, ring: Sequence[str]) -> None:
        super().__init__(
            f"Jobs wait for each other in a ring ({' needs '.join(map(repr, ring))}); "
            "take one of these dependencies away."
        )


class LostClaim(JobsError):
    """The job is no longer this claim's: its lease ran out, or it was ended by another hand."""

    code = "lost_claim"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"The claim on job {job_id} is lost (its lease ran out or it has ended); "
            "drop the result, the job runs elsewhere."
        )


class UnknownState(JobsError):
    code = "unknown_state"

    def __init__(self, word: str, known: list[str]) -> None:
        super().__init__(f"No job state {word!r}; states: {', '.join(known)}.")


class NotRetryable(JobsError):
    code = "not_retryable"

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(f"Job {job_id} cannot be retried: {reason}.")


class IdempotencyConflict(JobsError):
    code = "idempotency_conflict"

    def __init__(self, key: str, job_id: str) -> None:
        super().__init__(
            f"Idempotency key {key!r} belongs to job {job_id}, which asks for something else; "
            "use a new key for a new request."
        )


class QuotaExceeded(JobsError):
    code = "quota_exceeded"

    def __init__(self, owner: str, most: int) -> None:
        super().__init__(
            f"{owner!r} has {most} jobs waiting, which is as many as it may have; wait for some to "
            "end or cancel them."
        )


class InvalidLimit(JobsError):
    code = "invalid_limit"

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f"{name} is {value!r}, but must be {allowed}.")


class InvalidSchedule(JobsError):
    code = "invalid_schedule"

    def __init__(self, value: str, why: str) -> None:
        super().__init__(f"{value!r} is no schedule: {why}.")


class ScheduleNotFound(JobsError):
    code = "schedule_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"No schedule {name!r}; `omnifex schedules` shows those there are.")


class InvalidRecipe(JobsError):
    code = "invalid_recipe"

    def __init__(self, why: str) -> None:
        super().__init__(f"The recipe is not plain JSON ({why}); use text keys and finite numbers.")


class DatabaseNewer(JobsError):
    code = "database_newer"

    def __init__(self, database: str, revision: str) -> None:
        super().__init__(
            f"Database {database} was written by a newer Omnifex (jobs revision {revision!r}); "
            "upgrade omnifex or choose another home."
        )


class DatabaseBusy(JobsError):
    code = "database_busy"

    def __init__(self, database: str) -> None:
        super().__init__(
            f"Database {database} stayed locked by another program for too long; "
            "close what holds it open and try again."
        )


class DatabaseUnusable(JobsError):
    code = "database_unusable"

    def __init__(self, database: str, why: str) -> None:
        super().__init__(
            f"Database {database} cannot be used ({why}); "
            "check the path and its permissions, or choose another home."
        )


class UnsupportedDatabase(JobsError):
    code = "database_unsupported"

    def __init__(self, url: str) -> None:
        super().__init__(
            f"No support for database {url!r}; use sqlite:///PATH or "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."
        )


class DatabaseAway(JobsError):
    """The server is down, restarting, or cannot be reached."""

    code = "database_away"

    def __init__(self, database: str, why: str) -> None:
        super().__init__(
            f"Database {database} does not answer ({why}); nothing was lost: try again when it is "
            "back."
        )


class DriverMissing(JobsError):
    code = "driver_missing"

    def __init__(self, database: str) -> None:
        super().__init__(
            f"Database {database} needs psycopg; `pip install 'omnifex[postgres]'` brings it."
        )


class DiskFull(JobsError):
    code = "disk_full"

    def __init__(self, place: str) -> None:
        super().__init__(
            f"The disk of {place} is full; nothing was lost: free some space and try again."
        )


class FileTooLarge(JobsError):
    """The file system or the process limit (RLIMIT_FSIZE) refuses a file of this size."""

    code = "file_too_large"

    def __init__(self, place: str) -> None:
        super().__init__(
            f"A file in {place} would be larger than this system allows; "
            "raise the limit (`ulimit -f`) or make a smaller artifact."
        )


class StoreUnwritable(JobsError):
    code = "store_unwritable"

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"Cannot write to {place} ({why}); check its permissions and its disk.")


class StoreAway(JobsError):
    """A bucket that cannot be reached, or that refuses us."""

    code = "store_away"
    retryable = True

    def __init__(self, address: str, why: str) -> None:
        super().__init__(
            f"Artifacts at {address} cannot be reached ({why}); nothing was lost: check its keys "
            "and the network, and try again."
        )


class StoreUnsupported(JobsError):
    code = "store_unsupported"

    def __init__(self, address: str, why: str) -> None:
        super().__init__(
            f"Artifacts cannot be kept at {address}: {why}; give a folder, or s3://BUCKET/PREFIX."
        )


class FileUnreadable(JobsError):
    code = "file_unreadable"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"Cannot read {path} ({why}); check the path.")


class ArtifactMissing(JobsError):
    code = "artifact_missing"

    def __init__(self, sha256: str, root: str) -> None:
        super().__init__(
            f"No artifact {sha256!r} in {root}; was the file moved or deleted? Replay its job."
        )
