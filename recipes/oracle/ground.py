"""Read the background of a picture or of a clip: its kind and its colours."""

from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from omnifex_prism.vocabulary import Phrase
from omnifex_prism.words import BACKGROUNDS, COLOURS, apart
from recipes.oracle.palette import NAMES, nearest, palette
from recipes.world.image import STRIPE

STEP = 4  # px between the pixels that are compared
FAR = 60.0  # a pixel that is farther than this from a background is something in front of it
SOFT = 2  # px: how far the border of a stripe may be blurred
NEAR = 45.0  # a pixel that is nearer than this belongs to it


@dataclass(frozen=True)
class Ground:
    words: Phrase
    picture: Tensor  # (3, H, W): the background alone, in its own colours


def weights(kind: str, size: int) -> Tensor:
    """How much of the second colour each pixel has, (size, size)."""
    axis = (torch.arange(size) + 0.5) / size
    if kind == "plain":
        return torch.zeros(size, size)
    if kind == "gradient":
        return axis[:, None].repeat(1, size)
    return ((axis * size // STRIPE) % 2).repeat(size, 1)


@cache
def candidates(size: int) -> tuple[list[tuple[str, str, str]], Tensor]:
    """Every background there is: its words, and its sparse pixels (N, pixels, 3)."""
    names = [
        (kind, first, second)
        for kind in BACKGROUNDS
        for first in COLOURS
        for second in COLOURS
        if (first == second if kind == "plain" else apart(first, second))
    ]
    order, rgb = list(COLOURS), palette()
    first = rgb[[order.index(one) for _, one, _ in names]][:, None]
    second = rgb[[order.index(other) for _, _, other in names]][:, None]
    low = torch.stack([sparse(weights(kind, size)[None])[:, 0] for kind, _, _ in names])[..., None]
    return names, first + (second - first) * low


def sparse(picture: Tensor) -> Tensor:
    """Every STEP-th pixel of (C, H, W), none at the border of a stripe: (pixels, C)."""
    half = STEP // 2
    return picture[:, half::STEP, half::STEP].flatten(1).T


def read(frames: Tensor) -> Ground:
    """Find the background that most pixels of frames (T, 3, size, size), 0..255, lie on."""
    names, colours = candidates(frames.shape[-1])
    cost = torch.zeros(len(names))
    for frame in frames:
        gap = (sparse(frame) - colours).square().sum(-1)
        cost += gap.clamp_max(FAR**2).sum(1)
    kind, *named = names[int(cost.argmin())]
    ends, picture = fitted(frames, kind, named)
    first, second = (NAMES[i] for i in nearest(ends).tolist())
    if kind == "plain" or first == second:
        return Ground({"background": "plain", "ground": first}, picture)
    return Ground({"background": kind, "ground": first, "second ground": second}, picture)


def fitted(frames: Tensor, kind: str, named: list[str]) -> tuple[Tensor, Tensor]:
    """Both colours (2, 3) as they really are, by least squares over their pixels; the picture."""
    low = weights(kind, frames.shape[-1])
    basis = torch.stack([1 - low, low], -1)  # (H, W, 2)
    ends = torch.tensor([COLOURS[name] for name in named]).float()
    for _ in range(3):
        mine = (frames - (basis @ ends).movedim(-1, 0)).square().sum(1) < NEAR**2  # (T, H, W)
        rows = basis.expand(len(frames), -1, -1, -1)[mine]
        ends = torch.linalg.solve(
            rows.T @ rows + torch.eye(2), rows.T @ frames.movedim(1, -1)[mine] + ends
        )
    return ends, (basis @ ends).movedim(-1, 0)


def distance(frames: Tensor, picture: Tensor) -> Tensor:
    """How far each pixel is from the background and its soft borders of stripes, (T, H, W)."""
    wide = F.pad(picture, (SOFT, SOFT, 0, 0), mode="replicate")
    before, after = wide[:, :, : -2 * SOFT], wide[:, :, 2 * SOFT :]
    step = after - before
    blend = ((frames - before) * step).sum(1) / step.square().sum(0).clamp_min(1)
    away: Tensor = (frames - before - blend.clamp(0, 1)[:, None] * step).norm(dim=1)
    return away
