"""What a job tells its backbone, and where it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Condition:
    """Keyword arguments of the backbone's call, batch axis first; no `negative`, no guidance.

    `shared` holds those that all rows have in common, such as a name or a table of positions.
    """

    positive: Mapping[str, Tensor]
    negative: Mapping[str, Tensor] | None = None
    shared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """Latents (1, C, …) to start from in place of pure noise, and how far to leave them, 0..1."""

    latents: Tensor
    strength: float
