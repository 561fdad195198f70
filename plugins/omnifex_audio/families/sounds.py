"""What families of sounds have in common."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from omnifex import InvalidRequest, PipelineFamily
from omnifex.errors import PluginError
from omnifex.model_config import component_config
from omnifex_audio.modality import AudioRequest, Wave

if TYPE_CHECKING:
    from torch import Tensor

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex.signatures import Signature
    from omnifex_registry import Model

RATES = ("sampling_rate", "sample_rate", "output_sampling_rate")


class AudioFamily(PipelineFamily[AudioRequest]):
    """A pipeline of diffusers that returns `audios`."""

    modality = "audio"
    constants = {"output_type": "np"}
    optional: Collection[str] = ("audio",)

    def check(self, request: AudioRequest, model: Model) -> list[str]:
        warnings = super().check(request, model)
        longest = self.longest(model)
        if request.seconds is not None and longest is not None and request.seconds > longest:
            raise InvalidRequest(
                f"seconds is {request.seconds:g}, but model {model.name!r} makes {longest:g} at "
                "most; ask for less."
            )
        return warnings

    def longest(self, model: Model) -> float | None:
        """How many seconds it has room for; None where any number will do."""
        return None

    def generate(self, job: JobContext, request: AudioRequest, model: LoadedModel) -> Wave:
        output = self.output(job, request, model)
        return Wave(self.media(output, request), rate_of(model.record))

    def media(self, output: Any, request: AudioRequest) -> np.ndarray:
        return np.atleast_2d(output.audios[0]).astype(np.float32)  # (channels, N)

    def pictures(
        self, job: JobContext, request: AudioRequest, model: LoadedModel, signature: Signature
    ) -> dict[str, Any]:
        """The sound that is given, as the model's own autoencoder takes it."""
        if request.audio is None:
            return {}
        channels = component_config(model.record, "vae").get("audio_channels", 2)
        data = job.input(request.audio).read_bytes()
        return {"audio": waves(data, rate_of(model.record), channels).to(job.device)}


def rate_of(model: Model) -> int:
    """Samples in a second of what the model makes, by its vocoder or else its autoencoder."""
    for role in ("vocoder", "vae"):
        config = component_config(model, role)
        for name in RATES:
            if config.get(name):
                return int(config[name])
    raise PluginError(
        f"model {model.name!r} does not say its sampling rate; its vae/config.json should."
    )


def waves(data: bytes, rate: int, channels: int) -> Tensor:
    """A file's samples (channels, N) float32, at this rate; mono in all channels, or all in one."""
    import torch

    from omnifex_audio import files

    sound = files.decode(data)
    samples = sound.samples
    if sound.sample_rate != rate:
        samples = files.resampled(samples, sound.sample_rate, rate)
    if len(samples) != channels:
        samples = samples.mean(axis=0, keepdims=True).repeat(channels, axis=0)
    return torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
