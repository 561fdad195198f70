"""Files named by the hash of their content, written so that a power cut leaves all or nothing."""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from omnifex_jobs.errors import ArtifactMissing, FileUnreadable
from omnifex_jobs.files.disk import make_folder, plain_errors, sync_folder

CHUNK = 1 << 20
STALE_S = 24 * 3600.0


@dataclass(frozen=True)
class StoredFile:
    """A file that is safely on the disk."""

    sha256: str  # 64 hex digits
    size: int  # bytes
    path: Path
    media_type: str


class ArtifactStore:
    """`root/ab/abcd….png`; the same bytes are kept once. A file is never changed in place."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def put(self, data: bytes | Path, *, suffix: str, media_type: str) -> StoredFile:
        """Writes, fsyncs, renames, fsyncs the folder: when this returns, the file will stay.

        A file of the same name is replaced: its content is the same, or it was damaged.
        """
        with plain_errors(self.root):
            draft = self._draft()
            try:
                sha256, size = _write(draft, data)
                path = self._name(sha256, suffix)
                make_folder(path.parent)
                draft.replace(path)
                sync_folder(path.parent)
            finally:
                draft.unlink(missing_ok=True)
        return StoredFile(sha256, size, path, media_type)

    def path(self, sha256: str) -> Path:
        """Where the file is, or ArtifactMissing."""
        if re.fullmatch("[0-9a-f]{64}", sha256):
            for path in sorted((self.root / sha256[:2]).glob(f"{sha256}*")):
                return path
        raise ArtifactMissing(sha256, str(self.root))

    def open(self, sha256: str) -> io.BufferedReader:
        """The file's bytes, for reading, or ArtifactMissing."""
        return self.path(sha256).open("rb")

    def verify(self, sha256: str) -> bool:
        """Whether the file is there and its bytes still have this hash."""
        try:
            with self.open(sha256) as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except (ArtifactMissing, OSError):
            return False

    def sweep(self, older_than_s: float = STALE_S) -> int:
        """Removes drafts that killed processes left behind; returns how many."""
        limit = time.time() - older_than_s
        stale = [draft for draft in self._drafts.glob("*") if draft.stat().st_mtime < limit]
        for draft in stale:
            draft.unlink(missing_ok=True)
        return len(stale)

    @property
    def _drafts(self) -> Path:
        return self.root / "tmp"  # in the store: a rename across file systems is a copy

    def _draft(self) -> Path:
        make_folder(self._drafts)
        return self._drafts / uuid4().hex

    def _name(self, sha256: str, suffix: str) -> Path:
        return self.root / sha256[:2] / f"{sha256}.{suffix.lstrip('.')}"


def _write(draft: Path, data: bytes | Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with _source(data) as source, draft.open("xb") as file:
        while chunk := source.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size


def _source(data: bytes | Path) -> BinaryIO:
    if isinstance(data, bytes):
        return io.BytesIO(data)
    try:
        return data.open("rb")
    except OSError as error:
        raise FileUnreadable(str(data), error.strerror or str(error)) from error
