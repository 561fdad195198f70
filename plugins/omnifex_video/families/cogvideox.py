"""CogVideoX (Yang et al. 2024): words and latents in one sequence, and schedulers of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from omnifex.model_config import autoencoder_scale, backbone_config
from omnifex.pictures import Size
from omnifex_video.families.clips import VideoFamily
from omnifex_video.modality import VideoRequest

if TYPE_CHECKING:
    from omnifex_registry import Model


class CogVideoX(VideoFamily):
    """From words, from a picture, or from a clip."""

    name = "cogvideox"
    pipelines = (
        "CogVideoXPipeline",
        "CogVideoXImageToVideoPipeline",
        "CogVideoXVideoToVideoPipeline",
    )
    tasks = {"CogVideoXPipeline": {"video": "CogVideoXVideoToVideoPipeline"}}
    stride = 4
    patch = 2

    def schedulers(self, model: Model) -> Mapping[str, str]:
        return {"ddim": "CogVideoXDDIMScheduler", "dpm-solver++": "CogVideoXDPMScheduler"}

    def size_for(self, picture: Size, request: VideoRequest, model: Model) -> Size:
        """The one that it was taught: its patches have places there and no others."""
        width, height = self.usual_size(request, model)
        return request.width or width, request.height or height

    def usual_size(self, request: VideoRequest, model: Model) -> Size:
        config, scale = backbone_config(model), autoencoder_scale(model)
        return config["sample_width"] * scale, config["sample_height"] * scale
