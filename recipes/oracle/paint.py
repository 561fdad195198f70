"""The colour of what is in front of a background, and where it is, in pictures and in clips."""

import torch
import torch.nn.functional as F
from torch import Tensor

from recipes.oracle.palette import NAMES, nearest

DIFFERENT = 40.0  # of 442: from here on a pixel is not background
NEAR = 50.0  # of 442: this near to a blend of background and paint, a pixel is one
ENOUGH = 12  # px that show a colour


def commonest(frames: Tensor, left: Tensor) -> Tensor:
    """The colour (3, 1, 1) of most pixels (T, 3, H, W) that are left (T, H, W), off soft edges."""
    label = torch.full(left.shape, -1)
    label[left] = nearest(frames.movedim(1, -1)[left])
    high, low = (widened(sign * label.float(), 1) for sign in (1, -1))
    inner = torch.where(high == -low, label, -1)
    chosen = inner if (inner >= 0).sum() >= ENOUGH else label
    colour = int(torch.bincount(chosen[chosen >= 0], minlength=len(NAMES)).argmax())
    return frames.movedim(1, 0)[:, chosen == colour].median(1).values[:, None, None]


def fields(frames: Tensor, behind: Tensor, paint: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
    """Agreement and contrast (T, H, W) of a paint above the background (see silhouettes).

    `left` are the pixels not explained yet. Both fields are zero where something else is in front:
    what is behind it cannot be known.
    """
    off, above = frames - behind, paint - behind
    agreement, contrast = (off * above).sum(1), above.square().sum(0)
    blend = (agreement / contrast.clamp_min(1)).clamp(0, 1)
    front = off.norm(dim=1) > DIFFERENT
    mine = front & left & ((off - blend[:, None] * above).norm(dim=1) < NEAR)
    return agreement * mine, contrast * ~(front & ~mine)


def painted(frames: Tensor, behind: Tensor, masks: Tensor) -> str:
    """The name of the colour whose painting through masks (T, H, W) gives the frames best."""
    masks = masks[:, None]
    paint = ((frames - (1 - masks) * behind) * masks).sum((0, 2, 3)) / masks.square().sum()
    return NAMES[int(nearest(paint))]


def widened(masks: Tensor, reach: int = 3) -> Tensor:
    """The largest value of masks (T, H, W) in the square of `reach` px around each pixel."""
    across = F.max_pool2d(masks, (1, 2 * reach + 1), 1, (0, reach))
    return F.max_pool2d(across, (2 * reach + 1, 1), 1, (reach, 0))
