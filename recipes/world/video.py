"""Clips: one or two moving shapes on a background, 24 frames of 96×96 at 12 frames a second."""

import random
from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

from omnifex_prism.vocabulary import Phrase
from omnifex_prism.words import BACKGROUNDS, COLOURS, RELATIONS, SHAPES, SIZES
from omnifex_video.words import MOTIONS
from recipes.world.image import STRIPE, colour_rows, draw_colour
from recipes.world.shapes import coverage

FRAMES, SIZE, RATE = 24, 96, 12
RADII = {"small": 7.0, "medium": 10.5, "large": 15.0}  # px
FAR, NEAR = 24.0, 9.0  # px a thing travels to each side: alone, and beside another
ROUND = ("circle", "ring")  # whose spinning cannot be seen


@dataclass(frozen=True)
class Thing:
    size: str
    colour: str
    shape: str
    motion: str
    relation: str | None = None  # of the first of two things to the second


@dataclass(frozen=True)
class Scene:
    background: str
    colours: tuple[str, str]
    things: tuple[Thing, ...]

    def phrases(self) -> list[Phrase]:
        ground = {"background": self.background, "ground": self.colours[0]}
        if self.background != "plain":
            ground["second ground"] = self.colours[1]
        return [ground, *(describe(thing) for thing in self.things)]


def describe(thing: Thing) -> Phrase:
    told = {
        "size": thing.size,
        "colour": thing.colour,
        "shape": thing.shape,
        "motion": thing.motion,
    }
    return told | ({"relation": thing.relation} if thing.relation else {})


def draw_thing(rng: random.Random, ground: tuple[str, ...], relation: str | None) -> Thing:
    motion = rng.choice(MOTIONS)
    shapes = [s for s in SHAPES if motion != "spinning" or s not in ROUND]
    colour = draw_colour(rng, ground)
    return Thing(rng.choice(SIZES), colour, rng.choice(shapes), motion, relation)


def hidden(thing: Thing, background: str, colours: tuple[str, str]) -> bool:
    """Whether a thing's colour is lost somewhere in the gradient that it may cross."""
    if background != "gradient":
        return False
    first, second, paint = (COLOURS[name] for name in (*colours, thing.colour))
    for low in (0.2, 0.35, 0.5, 0.65, 0.8):
        behind = [a + (b - a) * low for a, b in zip(first, second, strict=True)]
        if sum((a - b) ** 2 for a, b in zip(behind, paint, strict=True)) < 60**2:
            return True
    return False


def sample(rng: random.Random) -> Scene:
    while True:
        background = rng.choice(BACKGROUNDS)
        first = rng.choice(list(COLOURS))
        colours = (first, draw_colour(rng, (first,)))
        ground = colours[:1] if background == "plain" else colours
        relations = [None] if rng.random() < 0.5 else [rng.choice(RELATIONS), None]
        things = tuple(draw_thing(rng, ground, relation) for relation in relations)
        if not any(hidden(thing, background, colours) for thing in things):
            return Scene(background, colours, things)


def anchors(scene: Scene) -> list[tuple[float, float]]:
    """Where each thing's motion is centred, in px."""
    middle, quarter = SIZE / 2, SIZE / 4
    if len(scene.things) == 1:
        return [(middle, middle)]
    low = {
        "left of": (-quarter, 0.0), "right of": (quarter, 0.0),
        "above": (0.0, -quarter), "below": (0.0, quarter),
    }[scene.things[0].relation or "left of"]  # fmt: skip
    return [(middle + low[0], middle + low[1]), (middle - low[0], middle - low[1])]


def reach(scene: Scene) -> tuple[float, float]:
    """How far things travel along x and y, in px."""
    if len(scene.things) == 1:
        return FAR, FAR
    side = scene.things[0].relation in ("left of", "right of")
    return (NEAR, FAR) if side else (FAR, NEAR)


def pose(motion: str, t: Tensor, far: tuple[float, float]) -> dict[str, Tensor]:
    """Offsets x, y in px, turn in radians, scale and visibility at times t in [0, 1)."""
    zero, one = torch.zeros_like(t), torch.ones_like(t)
    away, swing = 2 * t - 1, 2 * pi * t
    near = min(far)
    moves = {
        "moving right": {"x": far[0] * away},
        "moving left": {"x": -far[0] * away},
        "moving down": {"y": far[1] * away},
        "moving up": {"y": -far[1] * away},
        "bouncing": {"y": far[1] * (1 - 2 * torch.sin(swing).abs())},
        "circling": {"x": near * torch.sin(swing), "y": -near * torch.cos(swing)},
        "spinning": {"turn": swing},
        "growing": {"scale": 0.5 + t},
        "shrinking": {"scale": 1.5 - t},
        "blinking": {"shown": (t * 3 % 1 < 0.5).float()},
        "shaking": {"x": 7 * torch.sin(4 * swing)},
        "still": {},
    }
    rest = {"x": zero, "y": zero, "turn": zero, "scale": one, "shown": one}
    return rest | moves[motion]


def ground(scene: Scene) -> Tensor:
    """One background, (3, SIZE, SIZE)."""
    first, second = colour_rows(list(scene.colours))[:, :, None, None]
    axis = (torch.arange(SIZE) + 0.5) / SIZE
    weight = {
        "plain": torch.zeros(SIZE, SIZE),
        "gradient": axis[:, None].expand(SIZE, SIZE),
        "striped": ((axis * SIZE // STRIPE) % 2)[None, :].expand(SIZE, SIZE),
    }[scene.background]
    return first + (second - first) * weight


def layers(scene: Scene, t: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Each thing's mask (T, 1, SIZE, SIZE) at times t (T,) in [0, 1), and its colour (3, 1, 1)."""
    found = []
    for thing, anchor in zip(scene.things, anchors(scene), strict=True):
        at = pose(thing.motion, t, reach(scene))
        centre = torch.stack([anchor[0] + at["x"], anchor[1] + at["y"]], 1)
        which = torch.full((len(t),), SHAPES.index(thing.shape))
        mask = coverage(which, centre, RADII[thing.size] * at["scale"], SIZE, at["turn"])
        mask = (mask * at["shown"][:, None, None])[:, None]
        found.append((mask, colour_rows([thing.colour])[0, :, None, None]))
    return found


def composed(behind: Tensor, things: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Things in front of a background (3, SIZE, SIZE): frames (T, 3, SIZE, SIZE)."""
    frames = behind.expand(len(things[0][0]), -1, -1, -1)
    for mask, colour in things:
        frames = frames * (1 - mask) + colour * mask
    return frames


def render_one(scene: Scene) -> Tensor:
    things = layers(scene, torch.arange(FRAMES) / FRAMES)
    return composed(ground(scene), things).transpose(0, 1)


def render(scenes: list[Scene]) -> Tensor:
    """Render scenes as clips (N, 3, 24, 96, 96) in [0, 1]."""
    return torch.stack([render_one(scene) for scene in scenes])
