"""The journal of a job: what it has computed so far, on the disk, so that a crash costs a moment.

`root/JOBID.journal` is a line that says what it is, then records: their length, a checksum that
continues the one before it, and as many bytes. So a record is believed only where all before it
are: a torn tail is cut off, and damage in the middle makes everything after it worthless. The first
record says whose journal it is.

What is appended survives the death of the process; `sync` makes it survive a power cut, and is
called twice a second from another thread. A worker takes a journal over as a copy in a file of its
own, put in the place of the old one: whoever lost the job may still write into the old file, and
nobody will read it. Only who holds the claim, as the database sees it, may put a file in place.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from omnifex_jobs.errors import LostClaim
from omnifex_jobs.files.disk import make_folder, plain_errors, sync_folder

FORMAT = b"omnifex journal 1\n"
HEAD = struct.Struct("<QI")  # the payload's length in bytes, and the checksum
SUFFIX, DRAFT = ".journal", ".draft"

Owner = Mapping[str, str]  # whose journal it is: job, recipe, and the software that writes it


@dataclass(frozen=True)
class Span:
    """Where a payload lies in its file."""

    offset: int
    length: int


class Journals:
    """The journals of one home, beside its artifacts; each process opens its own."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def open(self, job_id: str, owner: Owner, held: Callable[[], bool]) -> Journal:
        """The job's journal, taken over where there is one; else the first append makes the file.

        `held` says whether the caller still holds the job's claim; LostClaim where it does not.
        """
        return Journal(self.root / f"{job_id}{SUFFIX}", {"job": job_id, **owner}, held)

    def kept(self, job_id: str) -> int:
        """The bytes of the job's journal; 0 where it has none."""
        try:
            return (self.root / f"{job_id}{SUFFIX}").stat().st_size
        except OSError:
            return 0

    def sweep(self, over: Callable[[Collection[str]], Collection[str]]) -> int:
        """Removes what jobs left behind that are `over`; returns how many files."""
        left: dict[str, list[Path]] = {}
        for path in self.root.glob("*"):
            left.setdefault(path.name.partition(".")[0], []).append(path)
        files = [path for job_id in (over(left) if left else ()) for path in left[job_id]]
        for path in files:
            path.unlink(missing_ok=True)
        return len(files)


class Journal:
    """One claim's journal of one job: the records found, to be read, and new ones, to be added.

    One thread appends; another may `sync` meanwhile.
    """

    def __init__(self, path: Path, owner: Owner, held: Callable[[], bool]) -> None:
        self.path = path
        self._owner, self._held = json.dumps(dict(owner), sort_keys=True).encode(), held
        self._file: io.FileIO | None = None
        self._checksum = 0
        self._synced = self._size = 0
        self._spans: list[Span] = []
        self.stranger = False  # there was a journal, and it was not this job's or this software's
        self._take_over()

    def __len__(self) -> int:
        """How many records were found; those appended since do not count."""
        return len(self._spans)

    def __getitem__(self, index: int) -> bytes:
        """The payload of a record that was found."""
        assert self._file is not None
        span = self._spans[index]
        with plain_errors(self.path):
            return os.pread(self._file.fileno(), span.length, span.offset)

    @property
    def begun(self) -> bool:
        """Whether there is a file."""
        return self._file is not None

    def append(self, *payload: bytes) -> None:
        """Adds one record, given in parts, or nothing; LostClaim where another has the job."""
        with plain_errors(self.path):
            file = self._file = self._file or self._put_in_place([])
            size, so_far = self._size, self._checksum
            try:
                self._write(file, *payload)
            except BaseException:
                self._size, self._checksum = size, so_far
                file.truncate(size)
                file.seek(size)
                raise

    def sync(self) -> None:
        """Makes what was appended before survive a power cut; returns when it does."""
        file, size = self._file, self._size
        if file is None or size == self._synced:
            return
        with plain_errors(self.path):
            os.fsync(file.fileno())
            if not self._synced:
                sync_folder(self.path.parent)
        self._synced = size

    def restart(self) -> None:
        """Throws away what there is; the next append begins a new file."""
        self.close()
        self._spans.clear()
        if self._held():
            self.drop()

    def close(self) -> None:
        """Lets go of the file, which stays."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def drop(self) -> None:
        """Removes the file: the job is over."""
        self.close()
        with plain_errors(self.path):
            self.path.unlink(missing_ok=True)

    def _take_over(self) -> None:
        with plain_errors(self.path), suppress(FileNotFoundError), self.path.open("rb") as file:
            records = believed(file)
            self.stranger = next(records, b"") != self._owner
            if not self.stranger:
                self._file = self._put_in_place(records)

    def _put_in_place(self, records: Iterable[bytes]) -> io.FileIO:
        """A new file with these records, in the place of whatever is there."""
        make_folder(self.path.parent)
        draft = self.path.with_suffix(f".{uuid4().hex}{DRAFT}")
        file = draft.open("x+b", buffering=0)
        try:
            self._fill(file, records)
            if not self._held():
                raise LostClaim(self.path.stem)
            draft.replace(self.path)
        except BaseException:
            file.close()
            draft.unlink(missing_ok=True)
            raise
        return file

    def _fill(self, file: io.FileIO, records: Iterable[bytes]) -> None:
        write_all(file, FORMAT)
        self._checksum, self._size, self._synced = 0, len(FORMAT), 0
        self._write(file, self._owner)
        self._spans = [self._write(file, record) for record in records]
        if self._spans:
            os.fsync(file.fileno())  # else a power cut now would cost the old work

    def _write(self, file: io.FileIO, *payload: bytes) -> Span:
        span = Span(self._size + HEAD.size, sum(map(len, payload)))
        self._checksum = checksum(self._checksum, span.length, *payload)
        write_all(file, b"".join((HEAD.pack(span.length, self._checksum), *payload)))
        self._size = span.offset + span.length
        return span


def believed(file: BinaryIO) -> Iterator[bytes]:
    """The payloads of the records that are whole, up to the first that is not."""
    left = os.fstat(file.fileno()).st_size
    if file.read(len(FORMAT)) != FORMAT:
        return
    left, so_far = left - len(FORMAT), 0
    while left >= HEAD.size:
        length, expected = HEAD.unpack(file.read(HEAD.size))
        left -= HEAD.size + length
        if left < 0:
            return
        payload = file.read(length)
        so_far = checksum(so_far, length, payload)
        if so_far != expected:
            return
        yield payload


def checksum(before: int, length: int, *payload: bytes) -> int:
    """CRC-32 over the length and the payload, continuing the record before."""
    so_far = zlib.crc32(length.to_bytes(8, "little"), before)
    for part in payload:
        so_far = zlib.crc32(part, so_far)
    return so_far


def write_all(file: io.FileIO, data: bytes) -> None:
    """All of it: one write of the system's may take less."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]
