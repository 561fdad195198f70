"""HunyuanVideo (Kong et al. 2024) and SkyReels V1: told the guidance that they were taught with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnifex import InvalidRequest
from omnifex_video.families.clips import VideoFamily
from omnifex_video.modality import VideoRequest

if TYPE_CHECKING:
    from omnifex_registry import Model


class HunyuanVideo(VideoFamily):
    """From words, or from a picture."""

    name = "hunyuan-video"
    pipelines = (
        "HunyuanVideoPipeline",
        "HunyuanVideoImageToVideoPipeline",
        "HunyuanSkyreelsImageToVideoPipeline",
    )
    samplers = ("euler",)  # the others take no sigmas of the pipeline's own
    fps = 24
    stride = 4
    multiple = 16

    def check(self, request: VideoRequest, model: Model) -> list[str]:
        usual = 6.0 if model.class_name == "HunyuanSkyreelsImageToVideoPipeline" else 1.0
        if request.negative_prompt and not request.extra.get("true_cfg_scale", usual) > 1:
            raise InvalidRequest(
                f"model {model.name!r} cannot use negative_prompt with the guidance that it was "
                "distilled with; leave it out, or set true_cfg_scale above 1 in extra."
            )
        return super().check(request, model)
