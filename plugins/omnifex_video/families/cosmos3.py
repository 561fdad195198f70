"""Cosmos 3 (NVIDIA 2026): one transformer for words, frames and sound, in one packed sequence."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex import InvalidRequest
from omnifex.model_config import backbone_config
from omnifex_video.families.clips import VideoFamily
from omnifex_video.modality import Sounding, VideoRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model


class Cosmos3(VideoFamily):
    """From words or from a picture; with sound, a file of its own too, where the model makes any.

    `enable_sound` in extra decides otherwise. Its sequences are packed: calls are not joined.
    """

    name = "cosmos3"
    pipelines = ("Cosmos3OmniPipeline",)
    optional = ("image", "video")
    samplers = ("unipc",)
    fps = 24
    stride = 4
    patch = 2

    def check(self, request: VideoRequest, model: Model) -> list[str]:
        guarded = model.config.get("enable_safety_checker", True)
        if guarded and importlib.util.find_spec("cosmos_guardrail") is None:
            raise InvalidRequest(
                f"model {model.name!r} checks what it makes with cosmos_guardrail, which is not "
                "installed; install it, or set enable_safety_checker to false in model_index.json."
            )
        return super().check(request, model)

    def pipeline(self, request: VideoRequest, model: LoadedModel) -> Any:
        """It would take its device from its modules' weights, which stand-ins have none of."""
        pipeline = super().pipeline(request, model)
        pipeline._get_execution_device = lambda: pipeline.transformer.device
        return pipeline

    def arguments(
        self, job: JobContext, request: VideoRequest, model: LoadedModel
    ) -> Mapping[str, Any]:
        own = {"enable_sound": bool(backbone_config(model.record).get("sound_gen"))}
        return {**own, **super().arguments(job, request, model)}

    def generate(self, job: JobContext, request: VideoRequest, model: LoadedModel) -> Any:
        output = self.output(job, request, model)
        if output.sound is None:
            return output.video
        rate = model["sound_tokenizer"].config["sampling_rate"]
        return Sounding(output.video, output.sound.float().cpu().numpy(), rate, apart=True)
