"""Out of memory, as torch, its libraries and Python say it."""

from __future__ import annotations

import re

import torch

from omnifex.memory import checked_memory, shown

# What allocators say that have no exception of their own: torch's on a CPU, cuDNN's and cuBLAS's.
SIGNS = re.compile(
    r"DefaultCPUAllocator|not enough memory|out of memory|_STATUS_ALLOC_FAILED", re.I
)
ASKED = re.compile(r"tried to allocate ([\d.]+ ?[KMGT]?i?B)(?:ytes)?\b", re.I)


def ran_out(error: BaseException | None) -> bool:
    """Whether memory ran out, of a device or of the host, there or in what it was raised from."""
    if error is None:
        return False
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = isinstance(error, RuntimeError) and bool(SIGNS.search(str(error)))
    return said or ran_out(error.__cause__)


def bytes_asked(error: BaseException) -> str:
    """What it asked for, as far as its message tells."""
    found = ASKED.search(str(error))
    size = checked_memory(found[1].upper().replace("BYTES", "B")) if found else None
    return shown(size) if size else "more than was left"
