"""Latent consistency models (Luo et al. 2023): a few steps, the guidance told to the UNet."""

from __future__ import annotations

from omnifex_image.families.pictures import ImageFamily


class LatentConsistency(ImageFamily):
    name = "lcm"
    pipelines = ("LatentConsistencyModelPipeline", "LatentConsistencyModelImg2ImgPipeline")
    tasks = {
        "LatentConsistencyModelPipeline": {"image": "LatentConsistencyModelImg2ImgPipeline"},
    }
    samplers = ("lcm",)
    multiple = 8
