"""Signed distances of the flat shapes, kept as textures so that any pose is one texture look-up."""

from functools import cache
from math import cos, pi, sin

import torch
import torch.nn.functional as F
from torch import Tensor

from omnifex_prism.words import SHAPES

EXTENT = 2.0  # the texture spans [-EXTENT, EXTENT] in units of the shape's radius
TEXELS = 256


def polygon_distance(points: Tensor, corners: Tensor) -> Tensor:
    """Signed distance of points (N, 2) to a closed polygon (M, 2); negative inside."""
    a, b = corners, corners.roll(-1, 0)
    edge, to = b - a, points[:, None] - a  # (M, 2), (N, M, 2)
    along = ((to * edge).sum(-1) / edge.square().sum(-1)).clamp(0, 1)
    distance = (to - along[..., None] * edge).norm(dim=-1).amin(1)
    upward = (a[:, 1] > points[:, 1:]) != (b[:, 1] > points[:, 1:])
    x = a[:, 0] + (points[:, 1:] - a[:, 1]) / (edge[:, 1] + 1e-12) * edge[:, 0]
    inside = (upward & (points[:, :1] < x)).sum(1) % 2 == 1
    return torch.where(inside, -distance, distance)


def around(count: int, radius: float = 1.0, turn: float = -pi / 2) -> list[tuple[float, float]]:
    angles = [turn + 2 * pi * i / count for i in range(count)]
    return [(radius * cos(a), radius * sin(a)) for a in angles]


def star() -> list[tuple[float, float]]:
    outer, inner = around(5, 1.1), around(5, 0.48, -pi / 2 + pi / 5)
    return [corner for pair in zip(outer, inner, strict=True) for corner in pair]


def heart() -> list[tuple[float, float]]:
    """The curve 16 sin³t, 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, scaled to the unit disc."""
    turns = [2 * pi * i / 60 for i in range(60)]
    return [
        (
            sin(t) ** 3,
            -(13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t)) / 16 - 0.1,
        )
        for t in turns
    ]


def cross(arm: float = 0.34) -> list[tuple[float, float]]:
    a = arm
    return [
        (-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a),
        (a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a), (-a, -a),
    ]  # fmt: skip


def arrow() -> list[tuple[float, float]]:
    return [(1.1, 0), (0.1, -0.95), (0.1, -0.38), (-1, -0.38), (-1, 0.38), (0.1, 0.38), (0.1, 0.95)]


def dome() -> list[tuple[float, float]]:
    arc = [(1.05 * cos(pi + pi * i / 40), 1.05 * sin(pi + pi * i / 40) + 0.5) for i in range(41)]
    return arc


POLYGONS = {
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "triangle": [(0, -1.0), (1.05, 0.8), (-1.05, 0.8)],
    "star": star(),
    "diamond": [(0, -1.15), (0.8, 0), (0, 1.15), (-0.8, 0)],
    "heart": heart(),
    "cross": cross(),
    "arrow": arrow(),
    "bar": [(-1.1, -0.42), (1.1, -0.42), (1.1, 0.42), (-1.1, 0.42)],
    "dome": dome(),
}


def distance(shape: str, points: Tensor) -> Tensor:
    """Signed distance of points (N, 2) to a shape of radius 1; y grows downwards."""
    if shape == "circle":
        return points.norm(dim=1) - 1
    if shape == "ring":
        return (points.norm(dim=1) - 0.78).abs() - 0.24
    if shape == "moon":
        bite = (points - points.new_tensor([0.45, -0.1])).norm(dim=1) - 0.8
        return torch.maximum(points.norm(dim=1) - 1, -bite)
    return polygon_distance(points, points.new_tensor(POLYGONS[shape]))


@cache
def textures() -> Tensor:
    """Signed distances of all shapes, (shapes, 1, TEXELS, TEXELS), in units of the radius."""
    axis = torch.linspace(-EXTENT, EXTENT, TEXELS)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([x.reshape(-1), y.reshape(-1)], 1)
    return torch.stack([distance(s, points).reshape(1, TEXELS, TEXELS) for s in SHAPES])


def coverage(
    shape: Tensor, centre: Tensor, radius: Tensor, size: int, turn: Tensor | None = None
) -> Tensor:
    """Anti-aliased masks (N, size, size) of shapes (N,) at centres (N, 2) px with radii (N,) px."""
    axis = torch.arange(size) + 0.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack([x, y], -1) - centre[:, None, None]  # (N, size, size, 2)
    if turn is not None:
        c, s = torch.cos(turn), torch.sin(turn)
        grid = torch.einsum("nhwi,nji->nhwj", grid, torch.stack([c, s, -s, c], 1).view(-1, 2, 2))
    grid = grid / radius[:, None, None, None] / EXTENT
    found = F.grid_sample(textures()[shape], grid, padding_mode="border", align_corners=True)
    return (0.5 - found[:, 0] * radius[:, None, None]).clamp(0, 1)
