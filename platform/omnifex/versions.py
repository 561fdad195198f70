"""Which Omnifex this is."""

from __future__ import annotations

from functools import cache
from importlib import metadata

LIBRARIES = ("torch", "diffusers", "transformers")


@cache
def version() -> str:
    """The installed version, as recipes and files carry it."""
    return metadata.version("omnifex")


@cache
def libraries() -> dict[str, str]:
    """The libraries that compute, as recipes pin them."""
    return {name: metadata.version(name) for name in LIBRARIES}


@cache
def software() -> str:
    """All whose versions may change what a job computes."""
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("omnifex", *LIBRARIES))
