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
THIN = 3  # slices: the flattest solid has more
FEW = 12  # vertices are no piece
CHANGE = 0.05 * FAR**2  # cost of a change of colour: as much as this area in a wrong colour


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
    costs = [slices(points[:, axis], far) for axis in (0, 1)]
    cut = [cheapest(cost) for cost in costs]
    axis = 0 if cut[0][0] <= cut[1][0] else 1
    path = merged(cut[axis][1], costs[axis])
    colours, counts = torch.unique_consecutive(path, return_counts=True)
    place = torch.arange(len(colours)).repeat_interleave(counts)[slice_of(points[:, axis])]
    off = torch.cdist(rgb, palette()[colours])  # (N, pieces)
    found = []
    for i, colour in enumerate(colours.tolist()):
        beside = off[:, max(0, i - 1) : i + 2].amin(1)
        mine = points[(place == i) & (off[:, i] <= beside)]
        if len(mine) >= FEW:
            sides = [(axis, side) for side in (-1, 1) if 0 <= i + side < len(colours)]
            found.append(segment(NAMES[colour], mine, sides))
    return found


def segment(colour: str, points: Tensor, touching: list[tuple[int, int]]) -> Segment:
    ends = torch.quantile(points, torch.tensor([0.003, 0.997]), dim=0)
    return Segment(colour, points, ends.mean(0), tuple(touching))


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


def merged(path: Tensor, costs: Tensor) -> Tensor:
    """The path without what is too thin for a solid, which gets its likelier neighbour's colour."""
    while True:
        colours, counts = torch.unique_consecutive(path, return_counts=True)
        thin = (counts[1:-1] < THIN).nonzero()[:, 0]
        if not len(thin):
            return path
        i = int(thin[0]) + 1
        start = int(counts[:i].sum())
        rows = slice(start, start + int(counts[i]))
        beside = colours[[i - 1, i + 1]]
        path = path.clone()
        path[rows] = beside[costs[rows][:, beside].sum(0).argmin()]
