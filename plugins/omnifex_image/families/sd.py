"""Stable Diffusion 1.x and 2.x (Rombach et al. 2022): a latent UNet that CLIP tells what to do."""

from __future__ import annotations

from omnifex_image.families.pictures import ImageFamily


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
