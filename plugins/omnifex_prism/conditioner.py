"""What a prompt's phrases mean to a backbone."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class PhraseConditioner(nn.Module):
    """Word ids of a prompt → one token a phrase, and one vector for the whole.

    A phrase is the sum of its words, so word order and missing words need no special care. Id 0
    (not said) adds nothing; a prompt of zeros is the unconditional one of classifier-free guidance.
    """

    def __init__(self, *, words: int, phrases: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width, padding_idx=0)
        self.position = nn.Parameter(torch.randn(phrases, width) * 0.02)
        self.mix = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.pool = nn.Sequential(
            nn.Linear(phrases * width, width), nn.SiLU(), nn.Linear(width, width)
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "PhraseConditioner":
        return cls(words=config["words"], phrases=config["phrases"], width=config["width"])

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens (B, phrases, width) and pooled (B, width) for ids (B, phrases, roles)."""
        tokens = self.words(ids).sum(2) + self.position  # (B, P, W)
        tokens = tokens + self.mix(tokens)
        return tokens, self.pool(tokens.flatten(1))
