"""Solids: up to three of them, stacked or side by side, as fields on a 48³ grid."""

import random
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from omnifex_mesh.words import ARRANGEMENTS, SOLIDS
from omnifex_prism.vocabulary import Phrase
from omnifex_prism.words import COLOURS, SIZES, apart
from recipes.world.image import colour_rows

GRID = 48  # voxels a side, over [-1, 1]
BAND = 3.0  # voxels: distances are cut at ± this, and stored as ±1
ALONE = {"small": 0.4, "medium": 0.58, "large": 0.8}
TOGETHER = {"small": 0.2, "medium": 0.265, "large": 0.33}

# Half extents along x and y of each solid of radius 1 (a solid is as deep as it is wide).
EXTENTS = {
    "sphere": (1.0, 1.0), "cube": (0.82, 0.82), "cone": (0.95, 1.0), "cylinder": (0.75, 0.95),
    "torus": (1.0, 0.36), "pyramid": (0.95, 0.95), "capsule": (0.5, 1.0), "octahedron": (1.0, 1.0),
    "egg": (0.68, 1.0), "prism": (0.9, 0.9), "dome": (1.0, 0.5), "slab": (0.95, 0.35),
}  # fmt: skip


@dataclass(frozen=True)
class Thing:
    size: str
    colour: str
    solid: str
    relation: str | None = None  # to the next thing


@dataclass(frozen=True)
class Scene:
    things: tuple[Thing, ...]

    def phrases(self) -> list[Phrase]:
        return [describe(thing) for thing in self.things]


def describe(thing: Thing) -> Phrase:
    told = {"size": thing.size, "colour": thing.colour, "solid": thing.solid}
    return told | ({"relation": thing.relation} if thing.relation else {})


def sample(rng: random.Random) -> Scene:
    count = rng.choice((1, 1, 2, 2, 3))
    relation = rng.choice(ARRANGEMENTS)
    colours: list[str] = []
    while len(colours) < count:
        colour = rng.choice(list(COLOURS))
        if all(apart(colour, other) for other in colours):
            colours.append(colour)
    relations = [relation] * (count - 1) + [None]
    return Scene(
        tuple(
            Thing(rng.choice(SIZES), colour, rng.choice(SOLIDS), told)
            for colour, told in zip(colours, relations, strict=True)
        )
    )


def radii(scene: Scene) -> list[float]:
    table = ALONE if len(scene.things) == 1 else TOGETHER
    return [table[thing.size] for thing in scene.things]


def centres(scene: Scene) -> list[tuple[float, float, float]]:
    """Where each thing's middle is, (x, y, z): things touch, and the group is centred."""
    relation = scene.things[0].relation
    axis = 1 if relation in ("on top of", "under") else 0
    halves = [
        EXTENTS[thing.solid][axis] * r for thing, r in zip(scene.things, radii(scene), strict=True)
    ]
    steps = [a + b for a, b in pairwise(halves)]
    spots = [0.0]
    for step in steps:
        spots.append(spots[-1] + step)
    middle = (spots[0] - halves[0] + spots[-1] + halves[-1]) / 2
    sign = 1 if relation in ("under", "left of") else -1
    along = [sign * (spot - middle) for spot in spots]
    return [(a, 0.0, 0.0) if axis == 0 else (0.0, a, 0.0) for a in along]


def box(p: Tensor, half: tuple[float, float, float]) -> Tensor:
    q = p.abs() - p.new_tensor(half)
    return q.clamp_min(0).norm(dim=-1) + q.amax(-1).clamp_max(0)


def cut_by(p: Tensor, planes: list[tuple[float, float, float, float]]) -> Tensor:
    """The largest of the distances to planes (normal, offset): a convex solid."""
    table = p.new_tensor(planes)
    normal = table[:, :3] / table[:, :3].norm(dim=1, keepdim=True)
    return (p @ normal.T - table[:, 3] / table[:, :3].norm(dim=1)).amax(-1)


def distance(solid: str, p: Tensor) -> Tensor:
    """Signed distance of points (..., 3) to a solid of radius 1; y is up; convex ones by planes."""
    x, y, z = p.unbind(-1)
    around = torch.sqrt(x * x + z * z)
    if solid == "sphere":
        return p.norm(dim=-1) - 1
    if solid == "cube":
        return box(p, (0.82, 0.82, 0.82))
    if solid == "slab":
        return box(p, (0.95, 0.35, 0.95))
    if solid == "cone":  # the slope of 0.95 across to 2 down
        return torch.maximum((around * 2 + (y - 1) * 0.95) / (2**2 + 0.95**2) ** 0.5, -1 - y)
    if solid == "cylinder":
        return torch.maximum(around - 0.75, y.abs() - 0.95)
    if solid == "torus":
        return torch.sqrt((around - 0.64) ** 2 + y * y) - 0.36
    if solid == "capsule":
        return torch.sqrt(around**2 + (y - y.clamp(-0.5, 0.5)) ** 2) - 0.5
    if solid == "octahedron":
        return (p.abs().sum(-1) - 1) / 3**0.5
    if solid == "egg":
        return (p / p.new_tensor([0.68, 1.0, 0.68])).norm(dim=-1).sub(1) * 0.68
    if solid == "dome":
        return torch.maximum(torch.sqrt(around**2 + (y + 0.5) ** 2) - 1, -0.5 - y)
    if solid == "pyramid":
        sides = [(2.0, 1.0, 0.0), (-2.0, 1.0, 0.0), (0.0, 1.0, 2.0), (0.0, 1.0, -2.0)]
        return cut_by(p, [*((*s, 0.95) for s in sides), (0.0, -1.0, 0.0, 0.95)])
    slope = [(2.0, 1.0, 0.0, 0.9), (-2.0, 1.0, 0.0, 0.9), (0.0, -1.0, 0.0, 0.9)]
    return cut_by(p, [*slope, (0.0, 0.0, 1.0, 0.9), (0.0, 0.0, -1.0, 0.9)])  # prism


def grid() -> Tensor:
    """Voxel centres (GRID, GRID, GRID, 3) as (x, y, z), indexed by z, y, x."""
    axis = (torch.arange(GRID) + 0.5) / GRID * 2 - 1
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    return torch.stack([x, y, z], -1)


def render_one(scene: Scene) -> Tensor:
    points = grid()
    fields = torch.stack(
        [
            distance(thing.solid, (points - points.new_tensor(centre)) / r) * r
            for thing, centre, r in zip(scene.things, centres(scene), radii(scene), strict=True)
        ]
    )
    nearest = fields.argmin(0)
    paint = colour_rows([thing.colour for thing in scene.things])[nearest]  # (D, H, W, 3)
    band = (fields.amin(0) * GRID / 2 / BAND).clamp(-1, 1)
    return torch.cat([band[None], paint.movedim(-1, 0) * 2 - 1])


def render(scenes: list[Scene]) -> Tensor:
    """Render scenes as fields (N, 4, 48, 48, 48): cut distance, then RGB, all in [-1, 1]."""
    return torch.stack([render_one(scene) for scene in scenes])
