"""The free space that a worker leaves: below it, jobs wait in the queue in place of failing."""

from __future__ import annotations

import shutil
from pathlib import Path

from omnifex.memory import shown

SHARE, MOST = 0.02, 1_000_000_000  # of the disk, but no more than so many bytes


class Floor:
    """Looks at one disk; `floor` in bytes, or a fiftieth of it and at most 1 GB."""

    def __init__(self, folder: Path, floor: int | None = None) -> None:
        self._folder, self._floor = folder, floor

    def reached(self) -> str | None:
        """A sentence for the user while there is too little space."""
        try:
            disk = shutil.disk_usage(self._folder)
        except OSError:  # gone for a moment; the jobs themselves will say so
            return None
        floor = min(SHARE * disk.total, MOST) if self._floor is None else self._floor
        if disk.free >= floor:
            return None
        return (
            f"Only {shown(disk.free)} are free on the disk of {self._folder}, less than "
            f"{shown(floor)}; jobs wait until there is more."
        )
