"""Clips by the built-in model: space and time attend to each other in its transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from omnifex import InvalidRequest
from omnifex_prism.family import PrismFamily
from omnifex_prism.open_words import with_background, with_colours, with_relations, with_words
from omnifex_prism.reading import Reading
from omnifex_prism.vocabulary import Phrase
from omnifex_prism.words import RELATIONS, SHAPES, SIZES
from omnifex_video.modality import VideoRequest
from omnifex_video.prompts import read
from omnifex_video.words import MOTIONS, VOCABULARY

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from omnifex_registry import Model

OWN = {"width": 96, "height": 96, "frames": 24}
FPS = 12
OPEN = {"size": SIZES, "shape": SHAPES, "motion": MOTIONS}  # what the seed settles


class PrismVideo(PrismFamily[VideoRequest]):
    """24 frames of 96×96 pixels."""

    modality = "video"
    steps = 2  # they decide all: further ones change little
    guidance = 1.5  # more brings specks
    vocabulary = VOCABULARY
    cannot = ("negative_prompt", "image", "video", "strength", "extra")

    def read(self, prompt: str) -> Reading:
        return read(prompt)

    def settled(
        self, phrases: Sequence[Phrase], request: VideoRequest, rng: Random
    ) -> Sequence[Phrase]:
        whole = with_background(with_colours(phrases, rng), rng)
        return with_relations(with_words(whole, rng, OPEN), rng, RELATIONS)

    def check(self, request: VideoRequest, model: Model) -> list[str]:
        for name, own in OWN.items():
            if (asked := getattr(request, name)) not in (None, own):
                raise InvalidRequest(
                    f"model {model.name!r} makes clips of {OWN['frames']} frames of "
                    f"{OWN['width']}×{OWN['height']} pixels, not of {name} {asked}; "
                    f"leave {name} out or choose another model."
                )
        return super().check(request, model)

    def defaults(self, request: VideoRequest, model: Model) -> Mapping[str, Any]:
        return {**super().defaults(request, model), "fps": FPS}

    def media(self, samples: Tensor, request: VideoRequest) -> np.ndarray:
        pixels = (samples[0].clamp(-1, 1) + 1) * 127.5  # (3, T, H, W)
        return pixels.round().byte().permute(1, 2, 3, 0).cpu().numpy()

    def part(self, latents: Tensor) -> Tensor:
        middle = latents.shape[2] // 2
        return latents[:, :, middle : middle + 1]

    def look(self, samples: Tensor) -> np.ndarray:
        """The first frame of the middle."""
        pixels = (samples[0, :, 0].clamp(-1, 1) + 1) * 127.5  # (3, H, W)
        return pixels.round().byte().permute(1, 2, 0).cpu().numpy()
