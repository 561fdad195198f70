"""A picture of a mesh made on the CPU: a z-buffer in numpy, lit from the upper left.

No display, no GPU and no extra package. All faces of about the same size on the page are drawn
together, so the cost is a few dozen array operations however many faces there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from omnifex_mesh.srgb import to_linear, to_srgb

if TYPE_CHECKING:
    import trimesh

AZIMUTH, ELEVATION = np.radians(32.0), np.radians(24.0)
DISTANCE = 4.2
"""From the eye to the middle, in radii of the object: a mild perspective."""
SMALLEST_RADIUS = 0.36
"""A smaller object is not drawn larger than this one, so that small ones look small."""
OVERSAMPLING = 2
CREASE = np.cos(np.radians(38.0))
"""Where a face turns farther from its corner's mean normal, the edge is shown as an edge."""
CANDIDATES = 2_000_000
SHADOW_CELLS, SHADOW_REACH = 128, 2.4
SHADOW_LAYERS = ((0.1, 1.4), (0.5, 3.0), (9.0, 5.0))  # up to which height, how much blur

_KEY_LIGHT = np.array([-0.50, 0.72, 0.62]) / np.linalg.norm([-0.50, 0.72, 0.62])
_FILL_LIGHT = np.array([0.85, 0.10, 0.45]) / np.linalg.norm([0.85, 0.10, 0.45])
_PAGE_TOP, _PAGE_BOTTOM = np.array([0.93, 0.94, 0.96]), np.array([0.80, 0.81, 0.84])

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_Hits = tuple[_Ints, _Ints, _Floats]
"""Index of the pixel (N,), of the face (N,), and the weights of its corners (N, 3)."""


@dataclass(frozen=True)
class _Camera:
    """Turns the world into the eye's axes: x to the right, y up, the eye at z = distance."""

    turn: _Floats  # (3, 3)
    middle: _Floats  # (3,)
    radius: float
    page: int  # pixels along a side

    @property
    def focal(self) -> float:
        return 0.46 * self.page * math.sqrt(DISTANCE**2 - 1)

    def see(self, points: _Floats) -> _Floats:
        return (points - self.middle) @ self.turn.T / self.radius

    def project(self, seen: _Floats) -> _Floats:
        """(…, 3) in the eye's axes to (…, 3): column, row, and 1/depth, which is linear on it."""
        nearness = 1.0 / (DISTANCE - seen[..., 2])
        flat = seen[..., :2] * (nearness * self.focal)[..., None]
        x, y = self.page / 2 + flat[..., 0], self.page / 2 - flat[..., 1]
        return np.stack([x, y, nearness], axis=-1)


@dataclass(frozen=True)
class _Fragments:
    """The nearest surface at each covered pixel."""

    pixel: _Ints  # (N,) index into the page, row by row
    face: _Ints  # (N,)
    weight: _Floats  # (N, 3) of the face's corners


def render(mesh: trimesh.Trimesh, size: int = 256) -> np.ndarray:
    """(size, size, 3) uint8: the mesh on a light ground, seen from the front, right and above."""
    camera = _camera(mesh.bounds, size * OVERSAMPLING)
    seen = camera.see(np.asarray(mesh.vertices))
    fragments = _visible(camera.project(seen)[mesh.faces], camera.page)
    page = _ground(camera, mesh)
    page[fragments.pixel] = _lit(mesh, camera, fragments)
    page = page.reshape(size, OVERSAMPLING, size, OVERSAMPLING, 3).mean(axis=(1, 3))
    return np.rint(255 * to_srgb(np.clip(page, 0, 1))).astype(np.uint8)


def _camera(bounds: _Floats, page: int) -> _Camera:
    c, s = np.cos(AZIMUTH), np.sin(AZIMUTH)
    around = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    c, s = np.cos(ELEVATION), np.sin(ELEVATION)
    over = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    radius = max(float(np.linalg.norm(bounds[1] - bounds[0])) / 2, SMALLEST_RADIUS)
    return _Camera(over @ around, bounds.mean(axis=0), radius, page)


def _visible(corners: _Floats, page: int) -> _Fragments:
    """(F, 3, 3) projected corners to the nearest fragment of each pixel."""
    pixel, face, weight = _covered(corners, page)
    nearness = np.einsum("nc,nc->n", weight, corners[face, :, 2])
    order = np.argsort(nearness, kind="stable")
    front = np.full(page * page, -1)
    front[pixel[order]] = order  # of several the last one stays, and that is the nearest
    shown = front[front >= 0]
    face, weight = face[shown], weight[shown] * corners[face[shown], :, 2]
    return _Fragments(pixel[shown], face, weight / weight.sum(axis=1, keepdims=True))


def _covered(corners: _Floats, page: int) -> _Hits:
    """Pixels whose middle lies in a face that looks at the eye."""
    nothing = np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3))
    parts = zip(nothing, *_covered_by_size(corners, page), strict=True)
    pixel, face, weight = (np.concatenate(part) for part in parts)
    return pixel, face, weight


def _covered_by_size(corners: _Floats, page: int) -> Iterator[_Hits]:
    """Faces that fit into the same power of two are tested together."""
    a, b, c = (corners[:, corner, :2] for corner in range(3))
    area = _cross(b - a, c - a)  # negative: rows run downward
    low = np.clip(np.floor(corners[..., :2].min(axis=1)).astype(int), 0, page - 1)
    high = np.clip(np.ceil(corners[..., :2].max(axis=1)).astype(int), 0, page)
    sides = np.maximum((high - low).max(axis=1), 1)
    levels = np.where(area < -1e-9, np.ceil(np.log2(sides)).astype(int), -1)
    for level in range(levels.max() + 1):
        faces, width = np.flatnonzero(levels == level), 1 << level
        step = max(CANDIDATES // width**2, 1)
        for start in range(0, len(faces), step):
            yield _inside(corners, area, low, faces[start : start + step], width, page)


def _inside(
    corners: _Floats, area: _Floats, low: _Ints, faces: _Ints, width: int, page: int
) -> _Hits:
    """Tests width × width pixels of each face by its barycentric weights."""
    rows, columns = np.divmod(np.arange(width * width), width)
    x, y = low[faces, 0, None] + columns, low[faces, 1, None] + rows  # (F, P)
    middle = np.stack([x, y], axis=-1) + 0.5
    a, b, c = (corners[faces, corner, None, :2] for corner in range(3))
    whole = area[faces, None]
    u, v = _cross(c - b, middle - b) / whole, _cross(a - c, middle - c) / whole
    w = 1 - u - v
    hit = (u >= 0) & (v >= 0) & (w >= 0) & (x < page) & (y < page)
    which, where = np.nonzero(hit)
    pixel = y[which, where] * page + x[which, where]
    return pixel, faces[which], np.stack([u[hit], v[hit], w[hit]], axis=-1)


def _lit(mesh: trimesh.Trimesh, camera: _Camera, fragments: _Fragments) -> _Floats:
    """Linear light of each fragment: two lamps, the sky, a little gloss, and dim hollows."""
    corners, weight = mesh.faces[fragments.face], fragments.weight
    colours = to_linear(mesh.visual.vertex_colors[:, :3] / 255.0)
    albedo = np.einsum("nc,ncd->nd", weight, colours[corners])
    normal = _normals(mesh, fragments) @ camera.turn.T
    place = np.einsum("nc,ncd->nd", weight, camera.see(np.asarray(mesh.vertices))[corners])
    eye = _unit(np.array([0.0, 0.0, DISTANCE]) - place)
    key = np.clip(normal @ _KEY_LIGHT, 0, 1)
    fill = np.clip(normal @ _FILL_LIGHT, 0, 1)
    sky = 0.5 + 0.5 * (normal @ camera.turn[:, 1])
    gloss = np.clip(np.einsum("nd,nd->n", normal, _unit(eye + _KEY_LIGHT)), 0, 1) ** 48
    light = (0.80 * key + 0.16 * fill + 0.12 + 0.26 * sky) * _openness(camera, fragments, place)
    lit: _Floats = albedo * light[:, None] + 0.10 * (key * gloss)[:, None]
    return lit


def _normals(mesh: trimesh.Trimesh, fragments: _Fragments) -> _Floats:
    """Smooth, but for corners at an edge, which take the face's own."""
    corner = np.asarray(mesh.vertex_normals)[mesh.faces[fragments.face]]  # (N, 3, 3)
    flat = np.asarray(mesh.face_normals)[fragments.face]
    smooth = np.einsum("ncd,nd->nc", corner, flat) > CREASE
    normals = np.where(smooth[..., None], corner, flat[:, None])
    return _unit(np.einsum("nc,ncd->nd", fragments.weight, normals))


def _openness(camera: _Camera, fragments: _Fragments, place: _Floats) -> _Floats:
    """Near 1 in the open, less where the surface lies behind its surroundings on the page."""
    depth, covered = np.zeros((2, camera.page * camera.page))
    depth[fragments.pixel], covered[fragments.pixel] = place[:, 2], 1.0
    width = camera.page / 40
    blurred = [
        gaussian_filter(image.reshape(camera.page, -1), width).ravel()[fragments.pixel]
        for image in (depth, covered)
    ]
    hollow: _Floats = np.clip(blurred[0] / np.maximum(blurred[1], 1e-6) - place[:, 2], 0, 0.3)
    return 1 - 1.6 * hollow


def _ground(camera: _Camera, mesh: trimesh.Trimesh) -> _Floats:
    """(page², 3) linear: a light page, and a soft shadow under the object."""
    along = (np.arange(camera.page) + 0.5) / camera.page
    page = np.repeat(_PAGE_TOP + along[:, None] * (_PAGE_BOTTOM - _PAGE_TOP), camera.page, axis=0)
    x, y = np.meshgrid(along * camera.page, along * camera.page)
    flat = np.stack([x - camera.page / 2, camera.page / 2 - y], axis=-1) / camera.focal
    ray = np.dstack([flat, -np.ones_like(x)]).reshape(-1, 3) @ camera.turn  # in the world's axes
    eye = np.array([0.0, 0.0, DISTANCE]) @ camera.turn
    floor = (mesh.bounds[0, 1] - camera.middle[1]) / camera.radius
    reach = (floor - eye[1]) / np.minimum(ray[:, 1], -1e-6)
    spot = eye[[0, 2]] + reach[:, None] * ray[:, [0, 2]]
    shade = np.where(ray[:, 1] < -1e-6, _shadow(camera, mesh, spot), 0)
    return to_linear(page) * (1 - 0.75 * shade[:, None])


def _shadow(camera: _Camera, mesh: trimesh.Trimesh, spot: _Floats) -> _Floats:
    """How dark the floor is at `spot` (N, 2): blurred more by what hangs higher over it."""
    points = (np.asarray(mesh.vertices) - camera.middle) / camera.radius
    height = points[:, 1] - points[:, 1].min()
    lamp = _KEY_LIGHT @ camera.turn
    thrown = points[:, [0, 2]] - height[:, None] * lamp[[0, 2]] / lamp[1]
    cells = (thrown / SHADOW_REACH + 1) * SHADOW_CELLS / 2
    corners = np.column_stack([cells, height])[mesh.faces, :][:, ::-1]  # the undersides
    pixel, face, weight = _covered(corners, SHADOW_CELLS)
    above = np.einsum("nc,nc->n", weight, corners[face, :, 2])
    dark = np.zeros((SHADOW_CELLS, SHADOW_CELLS))
    for highest, blur in SHADOW_LAYERS:
        layer = np.zeros(SHADOW_CELLS**2)
        layer[pixel[above < highest]] = 1.0
        dark += gaussian_filter(layer.reshape(dark.shape), blur) / len(SHADOW_LAYERS)
    place = (spot[:, ::-1] / SHADOW_REACH + 1) * SHADOW_CELLS / 2 - 0.5  # (row, column)
    return np.asarray(map_coordinates(dark, place.T, order=1))


def _cross(a: _Floats, b: _Floats) -> _Floats:
    product: _Floats = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return product


def _unit(vectors: _Floats) -> _Floats:
    length: _Floats = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, 1e-12)
