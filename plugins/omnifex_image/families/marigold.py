"""Marigold (Ke et al. 2024): from a picture to its depth or its normals, by a latent UNet."""

from __future__ import annotations

from typing import Any

from omnifex_image.families.pictures import ImageFamily
from omnifex_image.modality import ImageRequest


class Marigold(ImageFamily):
    """Near is dark, far is bright; normals point along red, green and blue. It needs no prompt."""

    name = "marigold"
    pipelines = ("MarigoldDepthPipeline", "MarigoldNormalsPipeline")
    samplers = ("ddim", "lcm")

    def media(self, output: Any, request: ImageRequest) -> Any:
        found = output.prediction[0]  # (H, W, 1) in [0, 1], or (H, W, 3) in [-1, 1]
        return found.repeat(3, axis=-1) if found.shape[-1] == 1 else (found + 1) / 2
