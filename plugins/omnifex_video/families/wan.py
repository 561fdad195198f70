"""Wan 2.1 and 2.2 (Alibaba 2025): flow matching by one transformer, or by one for each half."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnifex_video.families.clips import VideoFamily
from omnifex_video.modality import VideoRequest

if TYPE_CHECKING:
    from omnifex_registry import Model


class Wan(VideoFamily):
    """From words, a clip, or a picture; the model of 5B does both (`expand_timesteps`)."""

    name = "wan"
    pipelines = ("WanPipeline", "WanImageToVideoPipeline", "WanVideoToVideoPipeline")
    tasks = {"WanPipeline": {"video": "WanVideoToVideoPipeline"}}
    fps = 16
    stride = 4
    multiple = 16

    def pipeline_for(self, request: VideoRequest, model: Model) -> str:
        if request.image is not None and model.config.get("expand_timesteps"):
            return "WanImageToVideoPipeline"
        return super().pipeline_for(request, model)
