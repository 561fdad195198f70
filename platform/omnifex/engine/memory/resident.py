"""What is told of components in memory, and of those that find no room there."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from omnifex.engine.memory.tiers import Tier
from omnifex.errors import OmnifexError
from omnifex.memory import shown
from omnifex_registry import Component


@dataclass(frozen=True)
class Resident:
    """A component in memory; `seconds` is what its latest load took, `bytes` what it takes there.

    `used_at` is in epoch seconds; `loads` counts how often it came from disk.
    """

    component: Component
    seconds: float
    tier: Tier
    bytes: int
    used_at: float
    loads: int


class TooLarge(OmnifexError):
    """A component whose weights alone are more than the memory that it may use."""

    code = "component_too_large"

    def __init__(self, component: Component, size: int, budget: int, device: torch.device) -> None:
        super().__init__(
            f"{component.role} ({component.class_name}) takes {shown(size)}, but components may "
            f"use {shown(budget)} on {device}; allow more with --memory, or use a smaller model."
        )
