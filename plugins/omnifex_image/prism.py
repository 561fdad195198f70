"""Pictures by the built-in models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from omnifex import InvalidRequest, Start
from omnifex_image.modality import ImageRequest
from omnifex_image.prompts import read
from omnifex_image.words import VOCABULARY
from omnifex_prism.family import PrismDiffusionFamily, PrismFamily
from omnifex_prism.open_words import with_background, with_colours, with_places, with_words
from omnifex_prism.reading import Reading
from omnifex_prism.vocabulary import Phrase
from omnifex_prism.words import SHAPES, SIZES

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model

SIDE = 128  # px
OPEN = {"size": SIZES, "shape": SHAPES}  # what the seed settles where the prompt does not


class PrismImage(PrismFamily[ImageRequest]):
    """128×128 pixels, from a prompt or from another picture."""

    modality = "image"
    vocabulary = VOCABULARY
    strength = 0.6
    cannot = ("negative_prompt", "mask", "extra")

    def read(self, prompt: str) -> Reading:
        return read(prompt)

    def settled(
        self, phrases: Sequence[Phrase], request: ImageRequest, rng: Random
    ) -> Sequence[Phrase]:
        if request.image:
            return phrases  # what is open is as the picture has it
        whole = with_background(with_colours(phrases, rng), rng)
        return with_places(with_words(whole, rng, OPEN), rng)

    def check(self, request: ImageRequest, model: Model) -> list[str]:
        for name, size in (("width", request.width), ("height", request.height)):
            if size not in (None, SIDE):
                raise InvalidRequest(
                    f"model {model.name!r} makes pictures of {SIDE}×{SIDE} pixels, not of {name} "
                    f"{size}; leave the size out or choose another model."
                )
        return super().check(request, model)

    def defaults(self, request: ImageRequest, model: Model) -> Mapping[str, Any]:
        return {**super().defaults(request, model), "strength": self.strength}

    def start(self, job: JobContext, request: ImageRequest, model: LoadedModel) -> Start | None:
        if request.image is None:
            return None
        samples = samples_of(job.input(request.image).read_bytes()).to(job.device)
        return Start(model[self.autoencoder].encode(samples), request.strength or self.strength)

    def media(self, samples: Tensor, request: ImageRequest) -> np.ndarray:
        return self.look(samples)

    def look(self, samples: Tensor) -> np.ndarray:
        pixels = (samples[0].clamp(-1, 1) + 1) * 127.5
        return pixels.round().byte().permute(1, 2, 0).cpu().numpy()


class PrismDiffusionImage(PrismDiffusionFamily[ImageRequest], PrismImage):
    """The same pictures by the latent-diffusion UNet."""

    grid = (8, 8)


def samples_of(data: bytes) -> Tensor:
    """A picture's file as samples (1, 3, 128, 128) in [-1, 1]: its middle square, resized."""
    import torch
    from PIL import Image, ImageOps

    from omnifex_image.files import decode

    square = ImageOps.fit(Image.fromarray(decode(data)), (SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = torch.frombuffer(bytearray(square.tobytes()), dtype=torch.uint8)
    return (pixels.view(1, SIDE, SIDE, 3).permute(0, 3, 1, 2).float() / 127.5) - 1
