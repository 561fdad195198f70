"""Read a picture: its background, and up to a handful of things in front of it.

What differs from the background is explained thing by thing: the commonest colour that is left,
then the shape, size and middle whose rendering leaves the least error, then the rest.
"""

import numpy as np
import torch
from torch import Tensor

from omnifex_prism.words import PLACES
from recipes.oracle import ground, silhouettes
from recipes.oracle.paint import DIFFERENT, NEAR, commonest, fields, painted, widened
from recipes.oracle.reading import Reading, Seen
from recipes.oracle.relations import beside
from recipes.world.image import RADII, SIZE, SPACING

SPECK = 45  # px: less than this is no thing
MOST = 5  # things that are looked for
LIKE = 0.3  # share of its squared contrast that a thing must explain


def read(pixels: np.ndarray) -> Reading:
    """Read an RGB picture (128, 128, 3), uint8."""
    picture = torch.from_numpy(np.ascontiguousarray(pixels)).movedim(-1, 0).float()
    behind = ground.read(picture[None])
    things = tuple(find(picture, behind.picture))
    return Reading(behind.words, things, beside(things))


def find(picture: Tensor, behind: Tensor) -> list[Seen]:
    """Things, the plainest first."""
    frames = picture[None]
    seeds = ground.distance(frames, behind) > DIFFERENT
    left = torch.ones_like(seeds)  # not explained yet
    found: list[Seen] = []
    for _ in range(MOST):
        if (seeds & left).sum() < SPECK:
            break
        colour = commonest(frames, seeds & left)
        (agreement,), (contrast,) = fields(frames, behind, colour, left)
        fit = silhouettes.find(agreement, contrast, tuple(RADII.values()), scale=2)
        if fit.gain > LIKE * float((fit.mask.square() * contrast).sum()):
            found.append(Seen(words(fit, painted(frames, behind, fit.mask[None])), fit.centre))
            left &= widened(fit.mask[None]) < 0.05
        else:
            left &= (frames - colour).norm(dim=1) > NEAR
    return found


def words(fit: silhouettes.Silhouette, colour: str) -> dict[str, str]:
    size = next(size for size, radius in RADII.items() if radius == fit.radius)
    return {"size": size, "colour": colour, "shape": fit.shape, "place": place(fit.centre)}


def place(centre: tuple[float, float]) -> str:
    column, row = (min(2, max(0, round((value - SIZE / 2) / SPACING) + 1)) for value in centre)
    return PLACES[row * 3 + column]
