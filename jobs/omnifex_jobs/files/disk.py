"""Folders and errors of the disk, as all that writes files here needs them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnifex_jobs.errors import DiskFull, FileTooLarge, JobsError, StoreUnwritable


def make_folder(folder: Path) -> None:
    """Makes the folder and its parents, each entry on the disk before anything is put in it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Waits until what was made, renamed or removed in the folder would survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def plain_errors(root: Path) -> Iterator[None]:
    """Turns what the system says into one sentence that names the place."""
    try:
        yield
    except OSError as error:
        raise _plain(error, str(root)) from error


def _plain(error: OSError, place: str) -> JobsError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(place)
    if error.errno == errno.EFBIG:
        return FileTooLarge(place)
    return StoreUnwritable(place, error.strerror or str(error))
