"""Batches of latents and the words that tell them, some left out as people leave them out."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

SILENT = 0.1  # share of prompts that say nothing, for classifier-free guidance
UNTOLD = 0.05  # share of words left out of the others


@dataclass
class Latents:
    latents: Tensor  # (N, C, *grid), half precision
    ids: Tensor  # (N, phrases, roles)
    weight: Tensor  # (C,), of mean 1: how much an error of each channel counts
    generator: torch.Generator

    @classmethod
    def load(cls, modality: str, out: Path, seed: int) -> "Latents":
        """All latents of a modality that were encoded.

        The decoder undoes their standardising, so that what is decoded moves with a channel's
        deviation: the error of a channel counts as the square of that.
        """
        parts = [
            torch.load(path, weights_only=True)
            for path in sorted(out.glob(f"{modality}_latents_*.pt"))
        ]
        latents, ids = (torch.cat([part[name] for part in parts]) for name in ("latents", "ids"))
        variance = parts[0]["deviation"].square()
        weight = variance / variance.mean()
        return cls(latents, ids.long(), weight, torch.Generator().manual_seed(seed))

    def batch(self, count: int) -> tuple[Tensor, Tensor]:
        """Draw latents (count, C, *grid) and ids (count, phrases, roles)."""
        rows = torch.randint(len(self.latents), (count,), generator=self.generator)
        return self.latents[rows].float(), self.leave_out(self.ids[rows])

    def leave_out(self, ids: Tensor) -> Tensor:
        told = torch.rand(ids.shape, generator=self.generator) >= UNTOLD
        spoken = torch.rand(len(ids), 1, 1, generator=self.generator) >= SILENT
        return ids * told * spoken
