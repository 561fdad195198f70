"""Stable Diffusion 1.x and 2.x (Rombach et al. 2022): a latent UNet that CLIP tells what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnifex_image.families.distilled import few_steps
from omnifex_image.families.pictures import ImageFamily
from omnifex_registry import Model


class StableDiffusion(ImageFamily):
    """From a prompt, from a picture, or inside a mask; its scheduler's config says noise or v."""

    name = "sd"
    pipelines = (
        "StableDiffusionPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionInpaintPipeline",
    )
    tasks = {
        "StableDiffusionPipeline": {
            "image": "StableDiffusionImg2ImgPipeline",
            "image mask": "StableDiffusionInpaintPipeline",
        }
    }
    multiple = 8

    def usual(self, model: Model) -> Mapping[str, Any]:
        return few_steps(model)
