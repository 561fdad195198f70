"""Stable Audio Open (Evans et al. 2024): a transformer over a waveform's latents, told the time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex.model_config import backbone_config, component_config
from omnifex_audio.families.sounds import AudioFamily, rate_of
from omnifex_audio.modality import AudioRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex.signatures import Signature
    from omnifex_registry import Model


class StableAudio(AudioFamily):
    """From words, or from a sound that the noise is added to."""

    name = "stable-audio"
    pipelines = ("StableAudioPipeline",)
    fields = {"audio": "initial_audio_waveforms"}
    samplers = ()

    def longest(self, model: Model) -> float:
        samples = math.prod(component_config(model, "vae").get("downsampling_ratios", (2048,)))
        return float(backbone_config(model)["sample_size"] * samples / rate_of(model))

    def pictures(
        self, job: JobContext, request: AudioRequest, model: LoadedModel, signature: Signature
    ) -> dict[str, Any]:
        given = super().pictures(job, request, model, signature)
        return {name: samples[None] for name, samples in given.items()}  # (1, channels, N)

    def arguments(
        self, job: JobContext, request: AudioRequest, model: LoadedModel
    ) -> Mapping[str, Any]:
        found = super().arguments(job, request, model)
        if request.audio is None:
            return found
        return {"initial_audio_sampling_rate": rate_of(model.record), **found}
