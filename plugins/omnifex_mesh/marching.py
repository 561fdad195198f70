"""A signed distance field to a coloured surface (marching cubes, Lewiner et al. 2003)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omnifex.errors import OmnifexError

if TYPE_CHECKING:
    import trimesh

NEAR_ZERO = 1e-4
"""Of the field's largest value: closer to the surface a grid point counts as just beside it."""
GOLDEN_RATIO = 0.6180339887498949


class EmptySurface(OmnifexError):
    """The field is nowhere negative, so there is nothing to see."""

    code = "empty_surface"


def surface(field: np.ndarray, colours: np.ndarray) -> trimesh.Trimesh:
    """The surface where `field` is zero, watertight and facing outward, coloured by vertex.

    `field` is (D, H, W), negative inside; `colours` is (D, H, W, 3) in 0..1 (sRGB), sampled
    trilinearly. Index order is (z, y, x), and the axes are glTF's: x to the right, y up, z towards
    the viewer. The grid's cells fill the unit cube around the origin (its longest side, where the
    sides differ); a solid that reaches the wall is closed there. Not-a-number counts as outside.
    """
    import trimesh
    from skimage.measure import marching_cubes

    points, faces, _, _ = marching_cubes(_closed(field), 0.0, gradient_direction="ascent")
    points = points.astype(np.float64) - 1.0  # the wall is one cell thick
    sides = np.array(field.shape)
    vertices = (points + 0.5 - sides / 2) / sides.max()
    return trimesh.Trimesh(
        vertices[:, ::-1], faces, vertex_colors=_sampled(colours, points), process=False
    )


def _closed(field: np.ndarray) -> np.ndarray:
    """The field in a wall of outside that mirrors it, so that what touches the wall ends there."""
    field = np.nan_to_num(np.asarray(field, np.float32), nan=np.inf, posinf=np.inf, neginf=-np.inf)
    finite = np.abs(field[np.isfinite(field)])
    largest = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    field = np.clip(field, -largest, largest)
    if not (field < 0).any():
        raise EmptySurface(
            f"the {'×'.join(map(str, field.shape))} field has no inside (its least value is"
            f" {field.min():.3g}), so there is no surface; try another seed or more steps."
        )
    # A zero at a grid point would give faces of no area, which break on loading elsewhere.
    field = field / (NEAR_ZERO * largest)
    field = np.where(field < 0, np.minimum(field, -1), np.maximum(field, 1))
    walled: np.ndarray = np.abs(np.pad(field, 1, mode="edge"))
    walled[1:-1, 1:-1, 1:-1] = field
    walled *= _tie_breaker(walled.shape)
    return walled


def _tie_breaker(shape: tuple[int, ...]) -> np.ndarray:
    """Factors just above 1, all different: among equal values (a field of -1 and 1 alone) cells
    with two opposite corners inside are ambiguous, and neighbours would not agree on them."""
    number = np.arange(np.prod(shape)).reshape(shape)
    return 1 + 1e-4 * (number * GOLDEN_RATIO % 1)


def _sampled(colours: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(V, 4) uint8 RGBA at fractional grid indices (V, 3); beyond the grid its edge goes on."""
    from scipy.ndimage import map_coordinates

    bands = [
        map_coordinates(colours[..., band], points.T, order=1, mode="nearest") for band in range(3)
    ]
    rgb = np.clip(np.stack(bands, axis=-1), 0, 1)
    return np.column_stack([np.rint(255 * rgb), np.full(len(points), 255)]).astype(np.uint8)
