"""Stable Video Diffusion (Blattmann et al. 2023): a picture goes on, with no words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from omnifex.model_config import autoencoder_scale, backbone_config
from omnifex_video.families.clips import VideoFamily

if TYPE_CHECKING:
    from omnifex_registry import Model


class StableVideoDiffusion(VideoFamily):
    """Guided ever more from the first frame to the last; `guidance` is the last one's."""

    name = "svd"
    pipelines = ("StableVideoDiffusionPipeline",)
    fields = {"guidance": "max_guidance_scale"}
    samplers = ("euler",)
    multiple = 8

    def size_multiple(self, model: Model) -> int:
        """What goes down in its UNet must meet what comes up."""
        levels = len(backbone_config(model).get("block_out_channels", ()))
        return math.lcm(self.multiple, autoencoder_scale(model) << max(levels - 1, 0))
