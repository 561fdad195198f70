"""A file that a job made, in the hands of its user."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import uuid4

from omnifex import signing
from omnifex.errors import OmnifexError
from omnifex_jobs import Artifact as StoredArtifact

if TYPE_CHECKING:
    from omnifex.home import Home
    from omnifex.job import Job


class Unwritable(OmnifexError):
    """A place where the user wants a file and none can be written."""

    code = "unwritable"


class Artifact:
    """A file kept by its content; `path` is the store's own copy, which must not be changed."""

    def __init__(self, stored: StoredArtifact, home: Home, job_id: str = "") -> None:
        self.record = stored
        self._home, self._store = home, home.store
        self._job_id = job_id  # of the job that it was asked of

    def __repr__(self) -> str:
        return f"<Artifact {self.name} {self.media_type} {self.size:,} bytes {self.sha256[:12]}>"

    @property
    def sha256(self) -> str:
        """64 hex digits."""
        return self.record.sha256

    @property
    def media_type(self) -> str:
        return self.record.media_type

    @property
    def size(self) -> int:
        """Bytes."""
        return self.record.size

    @property
    def role(self) -> str:
        """`output`, `preview` or `input`."""
        return self.record.role

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def meta(self) -> Mapping[str, Any]:
        """What the modality says about the file: width, duration, …"""
        return self.record.meta

    @property
    def score(self) -> float | None:
        """What the job's scorer gave it; None where none was asked."""
        return self.meta.get("score")

    @property
    def made_by(self) -> Job | None:
        """The job that made it; of several, the one it was asked of, else the first."""
        from omnifex.job import Job

        makers = self._home.queue.origins.makers(self.sha256)
        if not makers:
            return None
        return Job(self._home, self._job_id if self._job_id in makers else makers[0])

    @property
    def used_by(self) -> tuple[Job, ...]:
        """The jobs that took it, the first one first."""
        from omnifex.job import Job

        return tuple(Job(self._home, one) for one in self._home.queue.origins.users(self.sha256))

    @property
    def path(self) -> Path:
        """Where the file is kept; ArtifactMissing when somebody took it away."""
        return self._store.path(self.sha256)

    def open(self) -> BinaryIO:
        return self._store.open(self.sha256)

    def read_bytes(self) -> bytes:
        return self.path.read_bytes()

    def verify(self) -> bool:
        """Whether the file is there and its bytes are still those that were made."""
        return self._store.verify(self.sha256)

    def save(self, path: Path | str, *, sign: bool | None = None) -> Path:
        """Copy the file to `path`, or under its own name into a folder; all of it or nothing.

        The copy is signed (C2PA) where the extra `provenance` is installed, or as `sign` says; a
        file that can hold no manifest gets it beside it, as `.c2pa`.
        """
        target = Path(path).expanduser()
        target = target / self.name if target.is_dir() else target
        if not signing.wanted(sign):
            write_whole(target, lambda draft: shutil.copyfile(self.path, draft))
            return target
        job = self.made_by
        made = signing.signed(self._home, self.record, self.read_bytes(), job.id if job else None)
        write_whole(target, lambda draft: draft.write_bytes(made.data))
        if beside := made.beside:
            write_whole(target.with_suffix(".c2pa"), lambda draft: draft.write_bytes(beside))
        return target


def write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Write beside it first, so that there is all of it or nothing; or Unwritable."""
    draft = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write(draft)
        os.replace(draft, target)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise Unwritable(
            f"cannot write {target} ({error.strerror or error}); choose another place."
        ) from error
