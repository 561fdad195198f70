"""Models in a zip or tar archive, unpacked only where every entry is a plain file in its place."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from omnifex_registry.errors import BadModelFolder, UnsafeWeights
from omnifex_registry.layout import INDEX
from omnifex_registry.sources.owned import check_space
from omnifex_registry.weights import PICKLES

SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")
LINK = 0o120000  # the file type of a symlink, in the upper half of a zip entry's attributes
MAX_FILES = 10_000


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and path.is_file()


def unpack(archive: Path, place: Path) -> Path:
    """The archive's files below `place`; returns the model's folder among them.

    All names are looked at before the first file is written. torch.save writes zip archives too:
    these hold pickles, and are refused by that.
    """
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, place)
        else:
            _unpack_tar(archive, place)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        why = " ".join(str(error).split())
        raise BadModelFolder(
            f"The archive {archive} cannot be unpacked ({why}); get it again."
        ) from error
    found = sorted(place.rglob(INDEX), key=lambda path: len(path.parts))
    if not found:
        raise BadModelFolder(f"The archive {archive} has no {INDEX}; it is no model.")
    return found[0].parent


def _unpack_zip(archive: Path, place: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
        for entry in entries:
            _check(archive, entry.filename, (entry.external_attr >> 16) & 0o170000 == LINK)
        _check_count(archive, len(entries))
        check_space(place, sum(entry.file_size for entry in entries))
        opened.extractall(place)


def _unpack_tar(archive: Path, place: Path) -> None:
    with tarfile.open(archive) as opened:
        size = 0
        for entry in _entries(opened):
            _check(archive, entry.name, not (entry.isfile() or entry.isdir()))
            size += entry.size
        check_space(place, size)
        for entry in opened:
            if (content := opened.extractfile(entry)) is not None:  # a folder has none
                _write(content, place / entry.name)


def _write(content: IO[bytes], path: Path) -> None:
    """Only what is in the file: extractall would set owners and modes too, before Python 3.11.4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with content, path.open("wb") as copy:
        shutil.copyfileobj(content, copy)


def _entries(opened: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for number, entry in enumerate(opened):
        _check_count(Path(str(opened.name)), number)
        yield entry


def _check(archive: Path, name: str, special: bool) -> None:
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    if special:
        raise _refused(archive, name, "is a link, or no plain file")
    if path.is_absolute() or windows.drive or "\\" in name or ".." in path.parts:
        raise _refused(archive, name, "leads out of it")
    if path.suffix.lower() in PICKLES:
        raise UnsafeWeights(archive / name)


def _check_count(archive: Path, count: int) -> None:
    if count > MAX_FILES:
        raise BadModelFolder(f"The archive {archive} has more than {MAX_FILES:,} files.")


def _refused(archive: Path, name: str, why: str) -> BadModelFolder:
    return BadModelFolder(
        f"The archive {archive} has an entry {name!r} that {why}; nothing was unpacked."
    )
