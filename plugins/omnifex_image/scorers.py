"""What tells a good picture from a worse one: what CLIP says of it, and two plain sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omnifex import Scorer
from omnifex.agreement import ClipAesthetics, ClipAgreement, ClipScorer
from omnifex_image.modality import ImageRequest, Made

if TYPE_CHECKING:
    import numpy as np

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel


class OfImages(ClipScorer[ImageRequest]):
    modality = "image"

    def pictures(self, media: Any) -> Sequence[np.ndarray]:
        return [pixels(media)]


class ImageAgreement(OfImages, ClipAgreement[ImageRequest]):
    """Whether a picture is as the prompt has it."""


class ImageAesthetics(OfImages, ClipAesthetics[ImageRequest]):
    """Whether people like such a picture."""


class Sharpness(Scorer[ImageRequest]):
    """The variance of the Laplacian of the brightness (Pech-Pacheco et al. 2000)."""

    name, modality = "sharpness", "image"

    def score(
        self, job: JobContext, media: Any, request: ImageRequest, model: LoadedModel | None
    ) -> float:
        import numpy as np

        grey = pixels(media) @ np.array([0.299, 0.587, 0.114])  # (H, W)
        inner = grey[1:-1, 1:-1]
        around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
        return float((around - 4 * inner).var()) if inner.size else 0.0


class Colourfulness(Scorer[ImageRequest]):
    """How far the colours lie apart, and from grey (Hasler and Süsstrunk 2003): 0 is grey."""

    name, modality = "colourfulness", "image"

    def score(
        self, job: JobContext, media: Any, request: ImageRequest, model: LoadedModel | None
    ) -> float:
        import numpy as np

        red, green, blue = np.moveaxis(pixels(media).astype(float), -1, 0)
        first, second = red - green, (red + green) / 2 - blue
        spread = np.hypot(first.std(), second.std())
        return float(spread + 0.3 * np.hypot(first.mean(), second.mean()))


def pixels(media: Any) -> np.ndarray:
    """(H, W, 3) uint8; a job that makes words alone has no picture to be scored."""
    from omnifex_image.files import bytes_of

    shown = media.pixels if isinstance(media, Made) else media
    if shown is None:
        raise ValueError("there is no picture, but words alone")
    return bytes_of(shown)
