"""Part a coloured surface into pieces of one colour each, along the line on which they stand.

Touching solids lie in slices that do not overlap. So the surface is cut into thin slices, and each
slice gets a named colour such that slices fit their colours and colours seldom change (Viterbi's
algorithm). Where an autoencoder mixes the colours of neighbours, no third colour appears.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recipes.oracle.palette import NAMES, palette
from recipes.world.mesh import GRID

VOXEL = 2 / GRID
FAR = 80.0  # a vertex farther than this from a colour is just another colour
CHANGE = 0.1 * FAR**2  # cost of a change of colour: as much as this area in a wrong colour


@dataclass(frozen=True)
class Segment:
    """What has one colour: its vertices (N, 3), and the ends where it touches a neighbour."""

    colour: str
    points: Tensor
    middle: Tensor  # of its bounding box
    touching: tuple[tuple[int, int], ...] = ()  # axis, and -1 or 1


def segments(points: Tensor, rgb: Tensor, areas: Tensor) -> list[Segment]:
    """The pieces of a surface from its vertices (N, 3), their colours (N, 3) and areas (N,)."""
    far = torch.cdist(rgb, palette()).square().clamp_max(FAR**2) * areas[:, None]  # (N, colours)
    cut = [cheapest(slices(points[:, axis], far)) for axis in (0, 1)]
    axis = 0 if cut[0][0] <= cut[1][0] else 1
    colours = cut[axis][1][slice_of(points[:, axis])]
    order = torch.unique_consecutive(cut[axis][1]).tolist()
    return [
        segment(points, colours, axis, position, order)
        for position in range(len(order))
        if (colours == order[position]).any()
    ]


def segment(points: Tensor, colours: Tensor, axis: int, position: int, order: list[int]) -> Segment:
    mine = points[colours == order[position]]
    ends = torch.quantile(mine, torch.tensor([0.003, 0.997]), dim=0)
    sides = [side for side in (-1, 1) if 0 <= position + side < len(order)]
    return Segment(
        NAMES[order[position]], mine, ends.mean(0), tuple((axis, side) for side in sides)
    )


def slice_of(along: Tensor) -> Tensor:
    return ((along + 1) / VOXEL).long().clamp(0, GRID - 1)


def slices(along: Tensor, far: Tensor) -> Tensor:
    """What each colour costs in each slice, (slices, colours)."""
    return torch.zeros(GRID, far.shape[1]).index_add(0, slice_of(along), far)


def cheapest(costs: Tensor) -> tuple[float, Tensor]:
    """The cheapest colour of every slice when every change costs, and the sum."""
    best, came = costs[0].numpy(), np.zeros(costs.shape, int)
    stay = np.arange(costs.shape[1])
    for i, cost in enumerate(costs[1:].numpy(), start=1):
        change = best.min() + CHANGE
        came[i] = np.where(best <= change, stay, best.argmin())
        best = np.minimum(best, change) + cost
    path = [int(best.argmin())]
    for row in came[:0:-1]:
        path.append(int(row[path[-1]]))
    return float(best.min()), torch.tensor(path[::-1])
