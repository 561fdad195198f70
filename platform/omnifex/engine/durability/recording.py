"""Durable jobs: the outputs of a job's calls are recorded, and given again when it runs again.

A job whose process died runs anew, from its first line. As long as its journal lasts, its calls are
answered from there and nothing is computed, so that the same Python comes to the same place with
the same values in hand. Each call is compared with the recorded one; where they differ the job's
Python is not the same, and its journal is of no use to it.
"""

from __future__ import annotations

import json
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from omnifex.engine.batching.steadiness import states
from omnifex.engine.durability.fingerprint import fingerprint
from omnifex.engine.durability.outputs import Unreadable, Unwritable, packed, unpacked
from omnifex.settings import keeps_state
from omnifex_jobs import JobsError
from omnifex_jobs.errors import LostClaim
from omnifex_jobs.files.journal import Journal

if TYPE_CHECKING:
    from omnifex.engine.call import ComponentCall

    Told = Callable[[ComponentCall], None]

SHORT_S = 0.5  # of computing; a job that takes no longer leaves no journal
MOST_BYTES = 64 << 20  # kept in memory while there is no file, or it cannot be written
ABOUT = struct.Struct("<I")  # the length of a record's JSON, which its tensors follow


class Diverged(BaseException):
    """The job made another call than its journal has; no `except Exception` swallows it."""


class Unrecorded:
    """The journal of a job that has none: every call is computed."""

    seconds = 0.0  # spent on recording, and on giving recorded outputs again

    def answer(self, call: ComponentCall, compute: Callable[[], Any], replayed: Told) -> Any:
        """The call's output; `replayed` is told of the call where it was not computed."""
        return compute()

    def finish(self) -> None:
        """The job has made all its calls."""


@dataclass(frozen=True)
class Entry:
    """One call of a job: what is compared when it comes again, and what is given then."""

    call: str
    inputs: str | None  # the fingerprint; None where nobody took it
    kept: bool = False  # else the call is computed again
    output: Any = None  # the form of what was kept

    def record(self, data: bytes = b"") -> tuple[bytes, ...]:
        about = json.dumps(vars(self), separators=(",", ":")).encode()
        return ABOUT.pack(len(about)), about, data

    @classmethod
    def read(cls, record: bytes) -> tuple[Entry, bytes]:
        (length,) = ABOUT.unpack_from(record)
        start = ABOUT.size + length
        return cls(**json.loads(record[ABOUT.size : start])), record[start:]


UNSEEN = Entry("", None).record()


class JobJournal(Unrecorded):
    """Replays what the journal has, then records; used by one job, in its thread.

    What a job computes in its first half second waits in memory: a short job makes no file. Where
    the cost model expects it to be that short, not even that is done; if it then takes longer, the
    calls of its first half second are the ones that a crash costs.
    """

    def __init__(
        self, journal: Journal, short_s: float = SHORT_S, most_bytes: int = MOST_BYTES
    ) -> None:
        self._journal = journal
        self._short_s, self._most_bytes = short_s, most_bytes
        self._position = 0
        self._computed = 0.0
        self._short: bool | None = None  # by the cost model; not asked before the first call
        self._unwritten: deque[tuple[bytes, ...]] = deque()
        self._bytes = 0  # in memory
        self._difference = ""
        self._given_up = False

    def answer(self, call: ComponentCall, compute: Callable[[], Any], replayed: Told) -> Any:
        if self._difference:
            raise Diverged(self._difference)
        if self._position < len(self._journal):
            return self._replay(call, compute, replayed)
        return compute() if self._given_up else self._record(call, compute)

    def finish(self) -> None:
        """The job has made all its calls; Diverged where they are fewer than before."""
        if left := len(self._journal) - self._position:
            self._diverge(f"it ended {left} calls earlier than before")

    # Replay

    def _replay(self, call: ComponentCall, compute: Callable[[], Any], replayed: Told) -> Any:
        with self._accounted():
            entry, data = self._read()
            if entry.inputs not in (None, fingerprint(call)):
                self._diverge(f"its call {self._position}, {call}, was another before")
            output = self._given_again(call, entry, data) if entry.kept else None
        if not entry.kept:
            return compute()
        replayed(call)
        return output

    def _read(self) -> tuple[Entry, bytes]:
        try:
            record = self._journal[self._position]
        except JobsError as error:
            self._diverge(str(error))
        self._position += 1
        return Entry.read(record)

    def _given_again(self, call: ComponentCall, entry: Entry, data: bytes) -> Any:
        try:
            return unpacked(entry.output, data, call.job.device)
        except Unreadable as error:
            self._diverge(
                f"the output of its call {self._position}, {call}, is unreadable: {error}"
            )

    def _diverge(self, difference: str) -> NoReturn:
        self._difference = difference
        raise Diverged(difference)

    # Recording

    def _record(self, call: ComponentCall, compute: Callable[[], Any]) -> Any:
        if self._may_rest(call):
            output = self._timed(call, compute)
            self._keep(call, UNSEEN)
            return output
        with self._accounted():  # before the call, which may change its inputs
            inputs, before = fingerprint(call), states(call.reading.generators)
        output = self._timed(call, compute)
        with self._accounted():
            drawn = states(call.reading.generators) != before
            self._keep(call, entry_of(call, inputs, output, drawn=drawn))
        return output

    def _may_rest(self, call: ComponentCall) -> bool:
        """Whether the job has been short so far, and is expected to stay so."""
        if self._short is None:
            expected = call.job.work.amount.expected
            self._short = expected is not None and expected < self._short_s
        return self._short and not self._journal.begun and self._computed < self._short_s

    def _timed(self, call: ComponentCall, compute: Callable[[], Any]) -> Any:
        loaded, began = call.job.load_seconds, time.perf_counter()
        output = compute()
        self._computed += time.perf_counter() - began - (call.job.load_seconds - loaded)
        return output

    def _keep(self, call: ComponentCall, record: tuple[bytes, ...]) -> None:
        self._unwritten.append(record)
        self._bytes += sum(map(len, record))
        full = self._bytes > self._most_bytes
        if self._journal.begun or self._computed > self._short_s or full:
            self._write(call, patient=not full)

    def _write(self, call: ComponentCall, *, patient: bool) -> None:
        """What waits; where there is no room for it now, there may be at the next call."""
        try:
            while self._unwritten:
                self._journal.append(*self._unwritten[0])
                self._bytes -= sum(map(len, self._unwritten.popleft()))
        except LostClaim:
            raise
        except JobsError as error:
            if not patient:
                self._given_up = True
                self._unwritten.clear()
                call.job.note(f"What is computed from here on would not survive a crash. {error}")

    @contextmanager
    def _accounted(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began


def entry_of(call: ComponentCall, inputs: str, output: Any, *, drawn: bool) -> tuple[bytes, ...]:
    """The record of a call.

    One whose arguments or output cannot be written down is computed again, and may change what was
    given to it as it did before; so is one that has drawn from a generator that was given to it,
    and one of a component that keeps state.
    """
    if call.reading.known and not drawn and not keeps_state(call.component):
        with suppress(Unwritable):
            form, data = packed(output)
            return Entry(str(call), inputs, kept=True, output=form).record(data)
    return Entry(str(call), inputs).record()
