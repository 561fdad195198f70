"""The named colours, and which of them a pixel is nearest to."""

import torch
from torch import Tensor

from omnifex_prism.words import COLOURS

NAMES = tuple(COLOURS)


def palette() -> Tensor:
    """RGB of every named colour, (colours, 3), in 0..255."""
    return torch.tensor([COLOURS[name] for name in NAMES]).float()


def nearest(rgb: Tensor) -> Tensor:
    """Index of the nearest named colour of each pixel (..., 3)."""
    flat = rgb.reshape(-1, 3).float()
    return torch.cdist(flat, palette()).argmin(1).view(rgb.shape[:-1])
