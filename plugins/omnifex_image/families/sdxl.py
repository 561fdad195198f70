"""Stable Diffusion XL (Podell et al. 2023): two text encoders, and told the picture's size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex_image.families.distilled import few_steps
from omnifex_image.families.pictures import ImageFamily
from omnifex_image.modality import ImageRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model

REFINED_FROM = 0.8  # of the schedule, where the refiner takes over (its authors' own)


class StableDiffusionXL(ImageFamily):
    """With a refiner's slots (`refiner_unet`, …) in the model, it ends each picture.

    Size and crop are told by `extra`: original_size, target_size, crops_coords_top_left; and
    refine_from, the share of the schedule that is the base's.
    """

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
    stages = {"refiner": "StableDiffusionXLImg2ImgPipeline"}
    options = ("refine_from",)
    multiple = 8

    def usual(self, model: Model) -> Mapping[str, Any]:
        return few_steps(model)

    def generate(self, job: JobContext, request: ImageRequest, model: LoadedModel) -> Any:
        if "refiner_unet" not in model:
            return super().generate(job, request, model)
        begin = request.extra.get("refine_from", REFINED_FROM)
        half = {"output_type": "latent", "denoising_end": begin}
        arguments = {**self.arguments(job, request, model), **half}
        base = self.pipeline(request, model)
        job.stage("base", until=0.85 * begin)
        latents = base(**arguments, generator=job.generator).images
        model.finished("unet", "text_encoder")

        job.stage("refiner", until=0.90)
        output = self.stage(
            job,
            request,
            model,
            "refiner",
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            image=latents,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance,
            denoising_start=begin,
            output_type="np",
        )
        return self.media(output, request)
