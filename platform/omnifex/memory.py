"""Sizes of memory as people write them: `8GB` in, `8 GB` out."""

from __future__ import annotations

import re

from omnifex.errors import OmnifexError

UNITS = {
    "": 1,
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", start=1)},
    **{f"{letter}IB": 1024**power for power, letter in enumerate("KMGT", start=1)},
}


class BadMemorySize(OmnifexError):
    """A size of memory that cannot be read, or is nothing."""

    code = "bad_memory_size"

    def __init__(self, given: object) -> None:
        super().__init__(
            f"memory is {given!r}, but must be a size above zero such as 8GB, 500MB or 12GiB."
        )


def checked_memory(given: str | int | None) -> int | None:
    """Bytes, or BadMemorySize; None stays None: as much as the device bears."""
    if given is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(given), re.IGNORECASE)
    unit = UNITS.get(found[2].upper()) if found else None
    size = int(float(found[1]) * unit) if found and unit else 0
    if size <= 0 or isinstance(given, bool):
        raise BadMemorySize(given)
    return size


def shown(size: float) -> str:
    """`1.23 GB`, in powers of 1000 as files and devices are sold."""
    for unit in ("bytes", "kB", "MB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB" if size < 999.5 else f"{size:.0f} GB"
