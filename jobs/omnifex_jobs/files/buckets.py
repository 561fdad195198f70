"""Artifacts in a bucket (S3 and its like): whole or not at all there, and kept here once used.

An object store shows an object when all of it has come, and then to everybody: what a rename and
two fsyncs are on a disk. So only object stores are taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from omnifex_jobs.errors import ArtifactMissing, JobsError, StoreAway, StoreUnsupported
from omnifex_jobs.files.artifacts import ArtifactStore, StoredFile

SCHEMES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
CLIENT = {"connect_timeout": "5s", "timeout": "600s"}
RETRY = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class BucketStore(ArtifactStore):
    """`s3://bucket/prefix/ab/abcd…/abcd….png`; `root` is a folder of this machine.

    A file is in the bucket when `put` returns. The folder may be emptied while nobody works.
    """

    def __init__(self, address: str, root: Path) -> None:
        super().__init__(root)
        self.address = address.rstrip("/")
        self._files = _filesystem(address)

    def put(self, data: bytes | Path, *, suffix: str, media_type: str) -> StoredFile:
        """As in a folder, and then in the bucket; or StoreAway, and it is as if it never was."""
        stored = super().put(data, suffix=suffix, media_type=media_type)
        with self._reaching():
            self._files.put_file(
                str(stored.path), f"{self._place(stored.sha256)}/{stored.path.name}"
            )
        return stored

    def path(self, sha256: str) -> Path:
        """Where it is here, brought from the bucket if need be; or ArtifactMissing, StoreAway."""
        try:
            return super().path(sha256)
        except ArtifactMissing:
            return self._fetch(sha256)

    def verify(self, sha256: str) -> bool:
        """Whether the bucket has these bytes, and the folder no others."""
        for path in self._here(sha256):
            if not super().verify(sha256):
                path.unlink()
                return False
        try:
            path = self._fetch(sha256)
        except ArtifactMissing:
            return False
        return path.exists()

    def _fetch(self, sha256: str) -> Path:
        name = self._name_there(sha256)
        draft = self._draft()
        try:
            with self._reaching():
                self._files.get_file(name, str(draft))
            suffix = PurePosixPath(name).suffix
            found = super().put(draft, suffix=suffix, media_type="")
        finally:
            draft.unlink(missing_ok=True)
        if found.sha256 != sha256:
            found.path.unlink()
            raise ArtifactMissing(sha256, self.address)
        return found.path

    def _name_there(self, sha256: str) -> str:
        with self._reaching():
            try:
                names = self._files.ls(self._place(sha256), detail=False)
            except FileNotFoundError:
                names = []
        if not names:
            raise ArtifactMissing(sha256, self.address)
        return str(names[0])

    def _place(self, sha256: str) -> str:
        """A folder for each file: to list it is to ask for one name, whatever its suffix."""
        return f"{self.address.partition('://')[2]}/{sha256[:2]}/{sha256}"

    def _here(self, sha256: str) -> list[Path]:
        return sorted((self.root / sha256[:2]).glob(f"{sha256}*"))

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Whatever the client says is that the bucket cannot be used just now."""
        try:
            yield
        except JobsError:
            raise
        except Exception as error:
            raise StoreAway(self.address, _first_line(error)) from error


def is_bucket(place: str) -> bool:
    """Whether it is an address and no folder; one that cannot be used is a StoreUnsupported."""
    scheme, address, _ = place.partition("://")
    if address and scheme not in SCHEMES:
        raise StoreUnsupported(place, f"{scheme}:// does not write a file whole or not at all")
    return bool(address)


def _filesystem(address: str) -> Any:
    """One of fsspec's; its client reads the keys from the environment."""
    if find_spec("obstore") is None:
        raise StoreUnsupported(address, "obstore is missing; `pip install 'omnifex[s3]'` brings it")
    from obstore.fsspec import FsspecStore

    scheme: Any = address.partition("://")[0]
    plainly = os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true"  # options hide it from obstore
    client = {**CLIENT, "allow_http": plainly}
    options: Any = {"client_options": client, "retry_config": RETRY, "skip_instance_cache": True}
    return FsspecStore(scheme, **options)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
