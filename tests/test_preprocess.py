"""What control networks look at, drawn from pictures whose lines are known."""

from typing import get_args

import numpy as np
import pytest

from omnifex_image.control.item import Preprocessor
from omnifex_image.control.preprocess import (
    PREPROCESSORS,
    Pixels,
    canny,
    depth,
    distance,
    scribble,
)


def square() -> Pixels:
    """A dark square of 32 pixels in the middle of 64, on light grey."""
    pixels = np.full((64, 64, 3), 200, np.uint8)
    pixels[16:48, 16:48] = (20, 30, 60)
    return pixels


def test_a_request_knows_every_preprocessor() -> None:
    assert get_args(Preprocessor) == tuple(PREPROCESSORS)


@pytest.mark.parametrize("name", PREPROCESSORS)
def test_pixels_in_pixels_out(name: str) -> None:
    before = square()
    drawn = PREPROCESSORS[name](before)
    assert drawn.shape == before.shape
    assert drawn.dtype == np.uint8
    assert np.array_equal(before, square())
    assert np.array_equal(drawn[..., 0], drawn[..., 2])
    assert not PREPROCESSORS[name](np.full((8, 8, 3), 90, np.uint8)).any() or name == "distance"


def test_canny_draws_the_outline() -> None:
    lit = np.argwhere(canny(square())[..., 0])
    from_edge = np.abs(np.abs(lit - 31.5).max(axis=1) - 16)
    assert 120 <= len(lit) < 180  # four sides of 32, and no area
    assert from_edge.max() <= 1


def test_a_scribble_is_broader_and_inside_the_dark_side() -> None:
    drawn = scribble(square())[..., 0]
    assert (drawn > 0).sum() > 2 * (canny(square())[..., 0] > 0).sum()
    assert not drawn[:10].any()
    assert drawn[20, 17]


def test_depth_is_stretched_and_distance_turned_round() -> None:
    ramp = np.repeat(np.linspace(90, 120, 31).astype(np.uint8)[None, :, None], 3, axis=2)
    near = np.broadcast_to(ramp, (4, 31, 3)).copy()
    assert (depth(near)[0, 0, 0], depth(near)[0, -1, 0]) == (0, 255)
    assert np.array_equal(distance(near), 255 - depth(near))
