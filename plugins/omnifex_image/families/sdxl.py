"""Stable Diffusion XL (Podell et al. 2023): two text encoders, and told its pictures' size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnifex_image.families.distilled import few_steps
from omnifex_image.families.pictures import ImageFamily
from omnifex_registry import Model


class StableDiffusionXL(ImageFamily):
    """Size and crop are told by `extra`: original_size, target_size, crops_coords_top_left."""

    name = "sdxl"
    pipelines = (
        "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLInpaintPipeline",
    )
    tasks = {
        "StableDiffusionXLPipeline": {
            "image": "StableDiffusionXLImg2ImgPipeline",
            "image mask": "StableDiffusionXLInpaintPipeline",
        }
    }
    multiple = 8

    def usual(self, model: Model) -> Mapping[str, Any]:
        return few_steps(model)
