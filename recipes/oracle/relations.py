"""How things lie to each other, by the axis along which their middles are farther apart."""

from collections.abc import Sequence
from itertools import permutations

from recipes.oracle.reading import Seen


def beside(things: Sequence[Seen]) -> dict[tuple[int, int], str]:
    """Relations in a picture, whose y grows downwards, for every ordered pair of things."""
    return {
        (i, j): relation(things[i].centre, things[j].centre)
        for i, j in permutations(range(len(things)), 2)
    }


def relation(one: tuple[float, ...], other: tuple[float, ...]) -> str:
    x, y = (b - a for a, b in zip(one, other, strict=True))
    if abs(x) > abs(y):
        return "left of" if x > 0 else "right of"
    return "above" if y > 0 else "below"
