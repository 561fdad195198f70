"""Find which flat shape, how large and where, explains an area best.

Painting a mask m of colour p over a background changes the squared error of a rendering by
m²·p² - 2·m·p·d, where d is what the picture has above the background. So the best mask is found
from two fields alone: the agreement p·d and the contrast p², summed over colour channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from omnifex_prism.words import SHAPES
from recipes.world.shapes import coverage

MARGIN = 32  # px of room for what reaches over the edge
WINDOW = 64  # px around a middle
FINALISTS = 8  # templates that are compared at full resolution
SOFT = (1.2, 2.2)  # px: how far edges may be blurred

Kind = tuple[int, float]  # a shape's position in SHAPES, and a radius in px


@dataclass(frozen=True)
class Candidate:
    kind: Kind
    centre: Tensor  # (2,): x, y in px
    gain: float


@dataclass(frozen=True)
class Silhouette:
    shape: str
    radius: float  # px
    centre: tuple[float, float]  # x, y in px
    mask: Tensor  # (size, size), as soft as it was found
    gain: float  # fall of the squared error


def find(agreement: Tensor, contrast: Tensor, radii: tuple[float, ...], scale: int) -> Silhouette:
    """The silhouette that explains most of the fields (size, size), searched at 1/scale first."""
    starts = candidates(agreement, contrast, radii, scale)
    finals = [refine(start, agreement, contrast) for start in starts]
    return max(finals, key=lambda found: found.gain)


@cache
def spectra(size: int, radii: tuple[float, ...], scale: int) -> tuple[Tensor, Tensor, list[Kind]]:
    """Spectra of every template around the origin, and of its square."""
    kinds = [(shape, radius) for shape in range(len(SHAPES)) for radius in radii]
    room = size + MARGIN
    masks = draw(kinds, torch.full((len(kinds), 2), room / 2), room)
    masks = F.avg_pool2d(masks[:, None], scale)[:, 0]
    masks = masks.roll((-(room // scale // 2),) * 2, (1, 2))
    return torch.fft.rfft2(masks).conj(), torch.fft.rfft2(masks.square()).conj(), kinds


def draw(kinds: Sequence[Kind], centres: Tensor, size: int) -> Tensor:
    shapes, radii = (torch.tensor(column) for column in zip(*kinds, strict=True))
    return coverage(shapes, centres, radii, size)


def candidates(
    agreement: Tensor,
    contrast: Tensor,
    radii: tuple[float, ...],
    scale: int,
    reach: float | None = None,
) -> list[Candidate]:
    """The likeliest templates, each with its best middle within reach px of the field's."""
    size = len(agreement)
    masks, squares, kinds = spectra(size, radii, scale)
    fields = F.avg_pool2d(torch.stack([agreement, contrast]), scale)
    padded = F.pad(fields, (0, MARGIN // scale) * 2)
    agreements, contrasts = torch.fft.rfft2(padded)
    gains = torch.fft.irfft2(2 * agreements * masks - contrasts * squares)
    side = size // scale
    gains = gains[:, :side, :side]
    if reach is not None:
        far = (torch.arange(side) - side // 2).abs() * scale > reach
        gains = gains.masked_fill(far | far[:, None], -torch.inf)
    best, where = gains.flatten(1).max(1)
    spots = torch.stack([where % side, where // side], 1) * float(scale)
    return [
        Candidate(kinds[i], spots[i], float(best[i])) for i in best.topk(FINALISTS).indices.tolist()
    ]


def refine(start: Candidate, agreement: Tensor, contrast: Tensor) -> Silhouette:
    """The template at the best of the middles nearby, as soft as fits best."""
    size, kind, centre = len(agreement), start.kind, start.centre
    corner = (centre - WINDOW / 2).clamp(0, size - WINDOW).floor()
    x, y = (int(value) for value in corner)
    agreement, contrast = (field[y : y + WINDOW, x : x + WINDOW] for field in (agreement, contrast))
    for step, levels in ((1.0, ()), (0.5, SOFT)):
        axis = torch.arange(-1, 2) * step
        centres = centre + torch.cartesian_prod(axis, axis)
        masks = softened(draw([kind] * len(centres), centres - corner, WINDOW), levels)
        gains = (2 * masks * agreement - masks.square() * contrast).sum((2, 3))
        level, spot = divmod(int(gains.argmax()), len(centres))
        centre = centres[spot]
    mask = F.pad(masks[level, spot], (x, size - WINDOW - x, y, size - WINDOW - y))
    middle = (float(centre[0]), float(centre[1]))
    return Silhouette(SHAPES[kind[0]], kind[1], middle, mask, float(gains.max()))


def softened(masks: Tensor, levels: Sequence[float]) -> Tensor:
    """The masks as they are and as an autoencoder may blur them, (1 + levels, N, H, W)."""
    reach = torch.arange(-5, 6)
    versions = [masks]
    for sigma in levels:
        kernel = torch.exp(-(reach**2) / (2 * sigma**2))[None, None, None]
        kernel = kernel / kernel.sum()
        across = F.conv2d(masks[:, None], kernel, padding=(0, 5))
        versions.append(F.conv2d(across, kernel.mT, padding=(5, 0))[:, 0])
    return torch.stack(versions)
