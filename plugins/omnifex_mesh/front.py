"""A quick look at a field from the front, with no surface made of it: for previews."""

from __future__ import annotations

import numpy as np

SCALE = 4  # pixels of the picture for a cell of the field
PAGE = 0.92  # the ground, as in renderings
NEAR, FAR = 1.0, 0.55  # how light a cell is drawn, by how far it lies behind the front


def front(field: np.ndarray) -> np.ndarray:
    """(4, D, H, W), distance (negative inside) and colours in [-1, 1], to (4·H, 4·W, 3) uint8.

    Each column of cells shows the first inside that the eye meets: z comes towards it, y is up.
    """
    inside = field[0, ::-1] < 0  # (D, H, W), the nearest layer first
    depth = inside.argmax(axis=0)  # (H, W)
    rows, columns = np.indices(depth.shape)
    nearest = len(inside) - 1 - depth
    colour = (field[1:, nearest, rows, columns].clip(-1, 1) + 1) / 2  # (3, H, W)
    light = NEAR + (FAR - NEAR) * depth / max(len(inside) - 1, 1)
    page = np.where(inside.any(axis=0), colour * light, PAGE)
    pixels: np.ndarray = np.rint(255 * page[:, ::-1]).astype(np.uint8).transpose(1, 2, 0)
    return np.kron(pixels, np.ones((SCALE, SCALE, 1), np.uint8))
