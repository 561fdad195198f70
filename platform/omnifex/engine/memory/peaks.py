"""How much memory was in use at most, while a job ran or a call."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import psutil
import torch

CLEAR = Path("/proc/self/clear_refs")  # Linux forgets a process's peak when "5" is written here


@dataclass(eq=False)
class Peak:
    """The most bytes that were in use since somebody began to watch."""

    bytes: int = 0


class PeakMemory:
    """One gauge that goes up only, shared by all who watch: each sees its own time's peak."""

    def __init__(self, read: Callable[[], int], forget: Callable[[], object]) -> None:
        self._read, self._forget = read, forget
        self._watching: list[Peak] = []
        self._changing = threading.Lock()

    @contextmanager
    def watched(self) -> Iterator[Peak]:
        """The peak of the time inside; known once outside."""
        peak = Peak()
        with self._changing:
            self._note()
            self._watching.append(peak)
        try:
            yield peak
        finally:
            with self._changing:
                self._note()
                self._watching.remove(peak)

    def _note(self) -> None:
        highest = self._read()
        for peak in self._watching:
            peak.bytes = max(peak.bytes, highest)
        self._forget()


@cache
def peak_memory(device: torch.device) -> PeakMemory:
    """That of an accelerator's tensors; of the whole process where there is no accelerator."""
    if device.type == "cuda":
        return PeakMemory(
            partial(torch.cuda.max_memory_allocated, device),
            partial(torch.cuda.reset_peak_memory_stats, device),
        )
    return PeakMemory(process_peak, forget_process_peak)


@contextmanager
def beside_weights(device: torch.device, known: int) -> Iterator[Peak]:
    """What a call takes beside all that is there before it; 0 where nobody counts that.

    Asking torch takes longer than a small call: what is known already is not measured again.
    """
    beside = Peak(known)
    if known or device.type != "cuda":
        yield beside
        return
    before = torch.cuda.memory_allocated(device)
    with peak_memory(device).watched() as whole:
        yield beside
    beside.bytes = max(0, whole.bytes - before)


def process_peak() -> int:
    """Where the system cannot forget it, this is the peak since the process began."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # Windows has none

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def forget_process_peak() -> None:
    if sys.platform == "linux":
        with suppress(OSError), CLEAR.open("wb", buffering=0) as file:
            file.write(b"5")
