"""Heads: what makes one number out of an embedding, such as how well people like a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

from torch import Tensor, nn


class Head(nn.Module):
    """Linear layers one after another, with nothing in between: (B, widths[0]) to (B, 1)."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(config["widths"])

    def forward(self, embedding: Tensor) -> Tensor:
        for layer in self.layers:
            embedding = layer(embedding)
        return embedding
