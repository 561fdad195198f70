"""Pictures: up to three shapes on a background, 128×128."""

import random
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from omnifex_prism.vocabulary import Phrase
from omnifex_prism.words import BACKGROUNDS, COLOURS, PLACES, RELATIONS, SHAPES, SIZES, apart
from recipes.world.shapes import coverage

SIZE = 128
RADII = {"small": 10.0, "medium": 15.0, "large": 23.0}  # px
SPACING = 38.0  # px between the nine places
STRIPE = 16.0  # px a stripe


@dataclass(frozen=True)
class Thing:
    size: str
    colour: str
    shape: str
    place: str
    relation: str | None = None  # to the next thing
    jitter: tuple[float, float] = (0.0, 0.0)  # px

    @property
    def centre(self) -> tuple[float, float]:
        row, column = divmod(PLACES.index(self.place), 3)
        middle = SIZE / 2
        return (
            middle + (column - 1) * SPACING + self.jitter[0],
            middle + (row - 1) * SPACING + self.jitter[1],
        )


@dataclass(frozen=True)
class Scene:
    background: str
    colours: tuple[str, str]  # the second one is used by gradients and stripes
    things: tuple[Thing, ...]

    def phrases(self) -> list[Phrase]:
        ground = {"background": self.background, "ground": self.colours[0]}
        if self.background != "plain":
            ground["second ground"] = self.colours[1]
        return [ground, *(describe(thing) for thing in self.things)]


def describe(thing: Thing) -> Phrase:
    told = {"size": thing.size, "colour": thing.colour, "shape": thing.shape}
    if thing.relation:
        told["relation"] = thing.relation
    else:
        told["place"] = thing.place
    return told


def draw_colour(rng: random.Random, avoid: tuple[str, ...]) -> str:
    return rng.choice([c for c in COLOURS if all(apart(c, other) for other in avoid)])


def draw_thing(rng: random.Random, ground: tuple[str, ...]) -> Thing:
    return Thing(
        size=rng.choice(SIZES),
        colour=draw_colour(rng, ground),
        shape=rng.choice(SHAPES),
        place=rng.choice(PLACES),
        jitter=(rng.uniform(-2, 2), rng.uniform(-2, 2)),
    )


def crowded(things: list[Thing]) -> bool:
    """Whether two things touch, judged by circles that hold any shape."""
    for i, one in enumerate(things):
        for other in things[:i]:
            dx, dy = (a - b for a, b in zip(one.centre, other.centre, strict=True))
            if (dx * dx + dy * dy) ** 0.5 < 1.1 * (RADII[one.size] + RADII[other.size]):
                return True
    return False


def hidden(thing: Thing, background: str, colours: tuple[str, str]) -> bool:
    """Whether a thing's colour is lost in the gradient behind it."""
    if background != "gradient":
        return False
    low = thing.centre[1] / SIZE
    first, second, paint = (COLOURS[name] for name in (*colours, thing.colour))
    behind = [a + (b - a) * low for a, b in zip(first, second, strict=True)]
    return sum((a - b) ** 2 for a, b in zip(behind, paint, strict=True)) < 75**2


def holds(relation: str, one: Thing, other: Thing) -> bool:
    (row, column), (row2, column2) = (divmod(PLACES.index(t.place), 3) for t in (one, other))
    if relation in ("left of", "right of"):
        return row == row2 and (column < column2) == (relation == "left of") and column != column2
    return column == column2 and (row < row2) == (relation == "above") and row != row2


def relate(rng: random.Random, things: list[Thing]) -> list[Thing] | None:
    """The things in a chain of one relation, or None where their places allow none."""
    pairs = list(pairwise(things))
    fitting = [r for r in RELATIONS if all(holds(r, *pair) for pair in pairs)]
    if not fitting:
        return None
    relation = rng.choice(fitting)
    return [*(replace(thing, relation=relation) for thing in things[:-1]), things[-1]]


def sample(rng: random.Random) -> Scene:
    """Draw a scene: half have one thing, half of the others are told by a relation."""
    background = rng.choice(BACKGROUNDS)
    first = rng.choice(list(COLOURS))
    colours = (first, draw_colour(rng, (first,)))
    ground = colours[:1] if background == "plain" else colours
    count = rng.choice((1, 1, 1, 2, 2, 3))
    related = count > 1 and rng.random() < 0.5
    while True:
        things = [draw_thing(rng, ground) for _ in range(count)]
        if crowded(things) or any(hidden(thing, background, colours) for thing in things):
            continue
        if not related:
            return Scene(background, colours, tuple(things))
        if told := relate(rng, things):
            # where a chain is told by relations, the last thing's place is free
            return Scene(background, colours, tuple(told))


def colour_rows(names: list[str]) -> Tensor:
    return torch.tensor([COLOURS[name] for name in names]) / 255


def ground(scenes: list[Scene]) -> Tensor:
    """Backgrounds (N, 3, SIZE, SIZE)."""
    first = colour_rows([s.colours[0] for s in scenes])[:, :, None, None]
    second = colour_rows([s.colours[1] for s in scenes])[:, :, None, None]
    axis = (torch.arange(SIZE) + 0.5) / SIZE
    weights = {
        "plain": torch.zeros(SIZE, SIZE),
        "gradient": axis[:, None].expand(SIZE, SIZE),
        "striped": ((axis * SIZE // STRIPE) % 2)[None, :].expand(SIZE, SIZE),
    }
    weight = torch.stack([weights[s.background] for s in scenes])[:, None]
    return first + (second - first) * weight


def render(scenes: list[Scene]) -> Tensor:
    """Render scenes as pictures (N, 3, 128, 128) in [0, 1]."""
    picture = ground(scenes)
    for position in range(3):
        rows = [i for i, scene in enumerate(scenes) if len(scene.things) > position]
        if not rows:
            break
        things = [scenes[i].things[position] for i in rows]
        mask = coverage(
            torch.tensor([SHAPES.index(t.shape) for t in things]),
            torch.tensor([t.centre for t in things]),
            torch.tensor([RADII[t.size] for t in things]),
            SIZE,
        )[:, None]
        paint = colour_rows([t.colour for t in things])[:, :, None, None]
        picture[rows] = picture[rows] * (1 - mask) + paint * mask
    return picture
