"""Sounds by the built-in models: the backbones make log-mel latents, Griffin-Lim the wave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnifex import InvalidRequest
from omnifex_audio.modality import AudioRequest, Wave
from omnifex_audio.prompts import read
from omnifex_audio.words import VOCABULARY
from omnifex_prism.family import PrismDiffusionFamily, PrismFamily
from omnifex_prism.reading import Reading

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from omnifex_registry import Model

SECONDS = 3.0


class PrismAudio(PrismFamily[AudioRequest]):
    """3 s of sound at 24 kHz."""

    modality = "audio"
    vocabulary = VOCABULARY
    cannot = ("negative_prompt", "lyrics", "audio", "extra")

    def read(self, prompt: str) -> Reading:
        return read(prompt)

    def check(self, request: AudioRequest, model: Model) -> list[str]:
        if request.seconds not in (None, SECONDS):
            raise InvalidRequest(
                f"model {model.name!r} makes sounds of {SECONDS:g} seconds, not of "
                f"{request.seconds:g}; leave seconds out or choose another model."
            )
        return super().check(request, model)

    def media(self, samples: Tensor, request: AudioRequest) -> Wave:
        from omnifex_audio.mel import RATE, to_wave

        return Wave(to_wave(samples.cpu()).numpy(), RATE)

    def look(self, samples: Tensor) -> np.ndarray:
        """The log-mel picture, low pitches below; its wave would take far longer."""
        from omnifex_audio.picture import levels_picture

        return levels_picture((samples[0, 0].clamp(-1, 1).cpu().numpy()[::-1] + 1) / 2)


class PrismDiffusionAudio(PrismDiffusionFamily[AudioRequest], PrismAudio):
    """The same sounds by the latent-diffusion UNet."""

    grid = (8, 12)
