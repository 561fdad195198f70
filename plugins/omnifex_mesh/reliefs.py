"""Depth and colours of a picture to a solid: a relief with a flat back, closed all around."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import trimesh

BASE = 0.05  # how thick the farthest part is, of the longest side


def relief(
    depth: np.ndarray, picture: Image.Image, resolution: int, height: float
) -> trimesh.Trimesh:
    """A watertight solid of depth (H, W) in [0, 1], nearest 0; its longest side is 1.

    x goes to the right, y up, z towards the viewer; the back is flat and lies as far behind the
    origin as the front rises before it. Each point has the picture's colour there.
    """
    import trimesh

    size = reduced(depth.shape[::-1], resolution)
    z = BASE + height * (1 - resized(depth, size).clip(0, 1))  # (H, W)
    colours = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    front = points(z)
    back = points(np.zeros_like(z))
    vertices = np.concatenate([front, back]) - (0, 0, (BASE + height) / 2)
    paint = np.tile(colours.reshape(-1, 3), (2, 1))
    return trimesh.Trimesh(vertices, faces(*z.shape), vertex_colors=paint, process=False)


def reduced(size: tuple[int, int], resolution: int) -> tuple[int, int]:
    """Width and height with the longest at most so many points, and none below 2."""
    scale = min(1.0, resolution / max(size))
    width, height = (max(2, round(side * scale)) for side in size)
    return width, height


def resized(depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    picture = Image.fromarray(np.ascontiguousarray(depth, dtype=np.float32))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR), dtype=np.float64)


def points(z: np.ndarray) -> np.ndarray:
    """A grid of heights (H, W) as points (H·W, 3), row by row from the top left."""
    rows, columns = np.indices(z.shape)
    longest = max(z.shape) - 1
    x = (columns - (z.shape[1] - 1) / 2) / longest
    y = ((z.shape[0] - 1) / 2 - rows) / longest
    return np.stack([x, y, z], axis=-1).reshape(-1, 3)


def faces(height: int, width: int) -> np.ndarray:
    """Triangles of the front, the back and the rim between them, facing outward."""
    at = np.arange(height * width).reshape(height, width)
    behind = height * width
    front = quads(at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:])
    # Around the edge, against the clock as the viewer sees it.
    edge = np.concatenate([at[:-1, 0], at[-1, :-1], at[:0:-1, -1], at[0, :0:-1]])
    after = np.roll(edge, -1)
    rim = quads(edge, edge + behind, after + behind, after)
    return np.concatenate([front, front[:, ::-1] + behind, rim])


def quads(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Two triangles for each four corners, which go against the clock from outside."""
    a, b, c, d = (corner.ravel() for corner in (a, b, c, d))
    return np.concatenate([np.stack([a, b, c], axis=-1), np.stack([a, c, d], axis=-1)])
