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
    generator: torch.Generator

    @classmethod
    def load(cls, modality: str, out: Path, seed: int) -> "Latents":
        parts = [
            torch.load(path, weights_only=True)
            for path in sorted(out.glob(f"{modality}_latents_*.pt"))
        ]
        latents, ids = (torch.cat([part[name] for part in parts]) for name in ("latents", "ids"))
        return cls(latents, ids.long(), torch.Generator().manual_seed(seed))

    def batch(self, count: int) -> tuple[Tensor, Tensor]:
        """Draw latents (count, C, *grid) and ids (count, phrases, roles)."""
        rows = torch.randint(len(self.latents), (count,), generator=self.generator)
        return self.latents[rows].float(), self.leave_out(self.ids[rows])

    def leave_out(self, ids: Tensor) -> Tensor:
        told = torch.rand(ids.shape, generator=self.generator) >= UNTOLD
        spoken = torch.rand(len(ids), 1, 1, generator=self.generator) >= SILENT
        return ids * told * spoken
