"""What control networks look at, drawn from pictures: pure functions of pixels.

Each takes pixels (H, W, 3) uint8 and returns such pixels, light on black, of the same size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from skimage import feature, filters
from skimage.color import rgb2gray

Pixels = NDArray[np.uint8]
Plane = NDArray[np.floating]

LOW, HIGH = 0.1, 0.2  # of the range from black to white, where Canny's edges end and begin
FINE, COARSE = 0.5, 5.0  # pixels; what a scribble keeps is between the two
DARKER = 16 / 255  # than its surroundings: what is drawn in a scribble


def canny(pixels: Pixels) -> Pixels:
    """Thin white edges (Canny 1986)."""
    return drawn(feature.canny(rgb2gray(pixels), sigma=1.0, low_threshold=LOW, high_threshold=HIGH))


def scribble(pixels: Pixels) -> Pixels:
    """Broad white lines along what is darker than its surroundings (XDoG, Winnemöller 2012)."""
    planes = pixels / 255.0
    fine, coarse = (filters.gaussian(planes, sigma, channel_axis=-1) for sigma in (FINE, COARSE))
    return drawn((coarse - fine).max(axis=-1) > DARKER)


def depth(pixels: Pixels) -> Pixels:
    """A depth map on which what is near is bright, stretched from black to white."""
    return drawn(stretched(rgb2gray(pixels)))


def distance(pixels: Pixels) -> Pixels:
    """The same of a map on which what is near is dark, as depth models make them."""
    return 255 - depth(pixels)


def stretched(plane: Plane) -> Plane:
    """From 0 to 1, but for a plane without any relief, which is 0."""
    low, high = plane.min(), plane.max()
    return (plane - low) / (high - low) if high > low else np.zeros_like(plane)


def drawn(plane: Plane) -> Pixels:
    """Grey pixels of a plane (H, W) from 0 to 1."""
    grey = np.round(np.asarray(plane, np.float64) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)  # (H, W, 3)


PREPROCESSORS: Mapping[str, Callable[[Pixels], Pixels]] = {
    "canny": canny,
    "scribble": scribble,
    "depth": depth,
    "distance": distance,
}
