"""Which Omnifex this is."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """The installed version, as recipes and files carry it."""
    return metadata.version("omnifex")
