"""Read a coloured surface: the solids that it is made of, and how they are arranged.

Its vertices are parted by colour. Each part is compared with every solid of every size: all its
vertices should lie on the solid, and all of the solid should have vertices near, but for the ends
where the solid touches another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from omnifex_mesh.words import SOLIDS
from recipes.oracle.reading import Reading, Seen
from recipes.oracle.segments import VOXEL, Segment, segments
from recipes.world.mesh import ALONE, EXTENTS, TOGETHER, distance

if TYPE_CHECKING:
    import trimesh

POINTS = 600  # of a part, and of a solid's surface
FINALISTS = 6  # solids whose middle is searched
MOST = 6  # things that are read, the largest first
TRIM = 0.9  # share of the points that must fit: soft borders do not


@dataclass(frozen=True)
class Fit:
    size: str
    solid: str
    centre: Tensor
    cost: float  # mean distance of what should touch


def read(mesh: trimesh.Trimesh) -> Reading:
    """Read a mesh with vertex colours, the unit cube around the origin, y up."""
    points = torch.tensor(np.asarray(mesh.vertices) * 2).float()
    rgb = torch.tensor(np.asarray(mesh.visual.vertex_colors)[:, :3]).float()
    found = sorted(segments(points, rgb, vertex_areas(mesh)), key=lambda part: -len(part.points))
    things = tuple(see(part, TOGETHER if len(found) > 1 else ALONE) for part in found[:MOST])
    return Reading(None, things, arranged(things))


def vertex_areas(mesh: trimesh.Trimesh) -> Tensor:
    """A third of the faces around each vertex, in the units of the world."""
    thirds = np.repeat(mesh.area_faces, 3) * 4 / 3
    return torch.from_numpy(np.bincount(mesh.faces.ravel(), thirds, len(mesh.vertices))).float()


def see(part: Segment, table: dict[str, float]) -> Seen:
    fit = best(part, table)
    words = {"size": fit.size, "colour": part.colour, "solid": fit.solid}
    return Seen(words, tuple(fit.centre.tolist()))


def best(part: Segment, table: dict[str, float]) -> Fit:
    """The solid and size that fit the part, its middle searched for those that fit roughly."""
    step = max(1, len(part.points) // POINTS)
    points, near = part.points[::step], cKDTree(part.points.numpy())
    rough = [
        Fit(size, solid, part.middle, cost(part, points, near, solid, radius, part.middle))
        for size, radius in table.items()
        for solid in SOLIDS
    ]
    finals = []
    for fit in sorted(rough, key=lambda fit: fit.cost)[:FINALISTS]:
        radius = table[fit.size]
        centre = settled(points, fit.solid, radius, fit.centre)
        final = cost(part, points, near, fit.solid, radius, centre)
        finals.append(Fit(fit.size, fit.solid, centre, final))
    return min(finals, key=lambda fit: fit.cost)


def cost(
    part: Segment, points: Tensor, near: cKDTree, solid: str, radius: float, centre: Tensor
) -> float:
    """Mean distance from the part to the solid, and from the solid to the part."""
    away = distance(solid, (points - centre) / radius).abs() * radius
    skin = surface(solid)
    for axis, side in part.touching:
        end = EXTENTS[solid][axis] - 1.5 * VOXEL / radius
        skin = skin[skin[:, axis] * side < end]
    gaps = torch.from_numpy(near.query((skin * radius + centre).numpy())[0]).float()
    return trimmed(away) + trimmed(gaps)


def trimmed(distances: Tensor) -> float:
    """The mean without the worst."""
    if not len(distances):
        return 0.0
    return float(distances.sort().values[: max(1, int(TRIM * len(distances)))].mean())


def settled(points: Tensor, solid: str, radius: float, centre: Tensor) -> Tensor:
    """The middle nearby from which the solid fits the points best."""
    for step in (0.5 * VOXEL, 0.25 * VOXEL):
        axis = torch.arange(-1, 2) * step
        shifts = torch.cartesian_prod(axis, axis, axis)
        away = distance(solid, (points - (centre + shifts)[:, None]) / radius).abs()
        centre = centre + shifts[away.mean(1).argmin()]
    return centre


@cache
def surface(solid: str) -> Tensor:
    """Points on a solid of radius 1, (POINTS, 3), by following its distance down."""
    points = torch.rand(8000, 3, generator=torch.Generator().manual_seed(0)) * 2.2 - 1.1
    small = torch.eye(3) * 1e-3
    for _ in range(8):
        off = distance(solid, points)
        slope = (distance(solid, points[:, None] + small) - off[:, None]) / 1e-3
        points = points - off[:, None] * slope / slope.square().sum(1, keepdim=True).clamp_min(0.1)
    return points[distance(solid, points).abs() < 0.01][:POINTS]


def arranged(things: Sequence[Seen]) -> dict[tuple[int, int], str]:
    """How each thing lies to each other one, by the axis along which they are farther apart."""
    return {
        (i, j): arrangement(things[i].centre, things[j].centre)
        for i, j in permutations(range(len(things)), 2)
    }


def arrangement(one: tuple[float, ...], other: tuple[float, ...]) -> str:
    x, y = (b - a for a, b in zip(one[:2], other[:2], strict=True))
    if abs(x) > abs(y):
        return "left of" if x > 0 else "right of"
    return "under" if y > 0 else "on top of"
