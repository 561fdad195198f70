"""LTX-2 (Lightricks 2025): one transformer for a clip and its sound, in two streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnifex_video.families.clips import VideoFamily
from omnifex_video.modality import Sounding, VideoRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel


class LTX2(VideoFamily):
    """From words, or from a picture; `extra` has the guidance of the sound."""

    name = "ltx2"
    pipelines = ("LTX2Pipeline", "LTX2ImageToVideoPipeline")
    tasks = {"LTX2Pipeline": {"image": "LTX2ImageToVideoPipeline"}}
    samplers = ("euler",)
    stride = 8
    multiple = 32

    def generate(self, job: JobContext, request: VideoRequest, model: LoadedModel) -> Any:
        output = self.output(job, request, model)
        rate = model["vocoder"].config["output_sampling_rate"]
        return Sounding(output.frames[0], output.audio[0].float().cpu().numpy(), rate)
