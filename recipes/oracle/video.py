"""Read a clip: its background, and one or two things that move in front of it.

A motion is judged by undoing it: when each frame is moved, turned and scaled back, and the frames
are laid on each other, the right motion leaves a sharp silhouette. Soft blobs that move in every
way there is say first which motions are worth that trial.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from omnifex_prism.words import SHAPES
from omnifex_video.words import MOTIONS
from recipes.oracle import ground, silhouettes
from recipes.oracle.paint import DIFFERENT, NEAR, commonest, fields, painted, widened
from recipes.oracle.reading import Reading, Seen
from recipes.oracle.relations import beside
from recipes.oracle.silhouettes import Silhouette
from recipes.world.shapes import coverage
from recipes.world.video import FAR, FRAMES, RADII, ROUND, SIZE, pose
from recipes.world.video import NEAR as BESIDE

SPECK = 350  # px in all frames: less than this is no thing
MOST = 4  # things that are looked for
LIKE = 0.3  # share of its squared contrast that a thing must explain
FRESH = 0.5  # share of a thing that nothing found before may have hidden
TRIALS = 5  # motions that are undone
COARSE = 2  # px and frames that the blobs are coarser by
CROP = 64  # px around a thing whose motion is undone
REACH = 8.0  # px that a thing may be beside its course
TIMES = torch.arange(FRAMES) / FRAMES


@dataclass(frozen=True)
class Course:
    """A motion around an anchor (x, y) in px."""

    motion: str
    anchor: tuple[float, float]

    def pose(self) -> dict[str, Tensor]:
        x, y = (abs(value - SIZE / 2) > 1 for value in self.anchor)
        return pose(self.motion, TIMES, (BESIDE if x else FAR, BESIDE if y else FAR))

    def path(self) -> Tensor:
        """Where the middle is in each frame, (T, 2) px."""
        at = self.pose()
        return torch.stack([at["x"], at["y"]], 1) + torch.tensor(self.anchor)


def anchors() -> list[tuple[float, float]]:
    middle, low, high = SIZE / 2, SIZE / 4, SIZE * 3 / 4
    return [(middle, middle), (low, middle), (high, middle), (middle, low), (middle, high)]


@cache
def blobs() -> tuple[list[Course], Tensor, Tensor]:
    """Every course but spinning; soft discs of each size on each, (N, T · H · W); their squares."""
    courses = [Course(m, anchor) for anchor in anchors() for m in MOTIONS if m != "spinning"]
    axis = (torch.arange(SIZE // COARSE) + 0.5) * COARSE
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    grid, rows = torch.stack([x, y], -1), []
    for course in courses:
        at = {name: value[::COARSE, None, None] for name, value in course.pose().items()}
        far = (grid - course.path()[::COARSE, None, None]).norm(dim=-1)  # (T, H, W)
        rows += [
            ((1.2 - far / (radius * at["scale"])) / 0.8).clamp(0, 1) * at["shown"]
            for radius in RADII.values()
        ]
    masks = torch.stack(rows).flatten(1)
    return courses, masks, masks.square()


def read(frames: np.ndarray) -> Reading:
    """Read RGB frames (24, 96, 96, 3), uint8."""
    clip = torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, 1).float()
    behind = ground.read(clip[::6])
    things = tuple(find(clip, behind.picture))
    return Reading(behind.words, things, beside(things))


def find(clip: Tensor, behind: Tensor) -> list[Seen]:
    """Things, the plainest first."""
    seeds = ground.distance(clip, behind) > DIFFERENT
    left = torch.ones_like(seeds)  # not explained yet
    found: list[Seen] = []
    for _ in range(MOST):
        if (seeds & left).sum() < SPECK:
            break
        colour = commonest(clip[::COARSE], (seeds & left)[::COARSE])
        agreement, contrast = fields(clip, behind, colour, left)
        course, fit = follow(agreement, contrast)
        masks = retraced(course, fit)
        fresh = float((masks * left).sum() / masks.sum())
        if fresh > FRESH and fit.gain > LIKE * float((masks.square() * contrast).sum()):
            found.append(seen(course, fit, painted(clip, behind, masks)))
            left &= trail(masks) < 0.05
        else:
            left &= (clip - colour).norm(dim=1) > NEAR
    return found


def follow(agreement: Tensor, contrast: Tensor) -> tuple[Course, Silhouette]:
    """The course and the silhouette that explain most of the fields (T, H, W)."""
    trials = []
    for course in likely(agreement, contrast):
        laid = undone(course, agreement, contrast)
        starts = silhouettes.candidates(*laid, tuple(RADII.values()), scale=1, reach=REACH)
        if course.motion == "spinning":  # of round things it cannot be seen
            starts = [start for start in starts if SHAPES[start.kind[0]] not in ROUND] or starts
        trials.append((starts[0].gain, course, laid, starts))
    _, course, laid, starts = max(trials, key=lambda trial: trial[0])
    finals = [silhouettes.refine(start, *laid) for start in starts]
    return course, max(finals, key=lambda found: found.gain)


def likely(agreement: Tensor, contrast: Tensor) -> list[Course]:
    """Courses whose blobs explain most, and spinning at the best one's anchor."""
    courses, masks, squares = blobs()
    small = [F.avg_pool2d(field[::COARSE], COARSE).flatten() for field in (agreement, contrast)]
    gains = (masks @ small[0]).clamp_min(0) ** 2 / (squares @ small[1] + 1)  # at the best opacity
    best = [courses[i] for i in gains.view(len(courses), -1).amax(1).topk(TRIALS).indices.tolist()]
    return [*best, Course("spinning", best[0].anchor)]


def undone(course: Course, agreement: Tensor, contrast: Tensor) -> tuple[Tensor, Tensor]:
    """Both fields around the thing with its motion undone, summed over frames: (CROP, CROP)."""
    at = course.pose()
    axis = torch.arange(CROP) + 0.5 - CROP / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    scale, turn = at["scale"][:, None, None], at["turn"][:, None, None]
    across = scale * (turn.cos() * x - turn.sin() * y)
    down = scale * (turn.sin() * x + turn.cos() * y)
    points = torch.stack([across, down], -1) + course.path()[:, None, None]
    laid = F.grid_sample(
        torch.stack([agreement, contrast], 1), points / SIZE * 2 - 1, align_corners=False
    )
    summed = (laid * (at["shown"][:, None, None] * scale**2)[:, None]).sum(0)
    return summed[0], summed[1]


def retraced(course: Course, fit: Silhouette) -> Tensor:
    """The silhouette's masks (T, H, W) along its course."""
    at = course.pose()
    shapes = torch.full((FRAMES,), SHAPES.index(fit.shape))
    centres = course.path() + torch.tensor(shift(fit))
    masks = coverage(shapes, centres, fit.radius * at["scale"], SIZE, at["turn"])
    return masks * at["shown"][:, None, None]


def trail(masks: Tensor) -> Tensor:
    """The masks as wide as their own soft edges and those of the frames beside them may be."""
    wide = widened(masks)
    return torch.stack([wide, wide.roll(1, 0), wide.roll(-1, 0)]).amax(0)


def shift(fit: Silhouette) -> tuple[float, float]:
    """How far the thing's middle is from where its course has it."""
    return fit.centre[0] - CROP / 2, fit.centre[1] - CROP / 2


def seen(course: Course, fit: Silhouette, colour: str) -> Seen:
    size = next(size for size, radius in RADII.items() if radius == fit.radius)
    words = {"size": size, "colour": colour, "shape": fit.shape, "motion": course.motion}
    x, y = (a + b for a, b in zip(course.anchor, shift(fit), strict=True))
    return Seen(words, (x, y))
