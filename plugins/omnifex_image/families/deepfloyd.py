"""DeepFloyd IF, after Imagen (Saharia et al. 2022): T5 and a cascade of pixel models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnifex_image.families.upscaling import UpscaledFamily
from omnifex_image.modality import ImageRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel


class DeepFloyd(UpscaledFamily):
    """64 pixels, then 256 (`super_resolution_unet`, …), then 1024 (`upscaler_unet`, …)."""

    name = "deepfloyd-if"
    pipelines = ("IFPipeline",)
    stages = {"super_resolution": "IFSuperResolutionPipeline", **UpscaledFamily.stages}
    samplers = ("ddpm", "dpm-solver++")

    def generate(self, job: JobContext, request: ImageRequest, model: LoadedModel) -> Any:
        larger = "super_resolution_unet" in model
        kind = {"output_type": "pt" if larger else self.small(model)}
        arguments = {**self.arguments(job, request, model), **kind}
        job.stage("base", until=0.40)
        pictures = self.pipeline(request, model)(**arguments, generator=job.generator).images
        model.finished("unet")
        if larger:
            pictures = self.super_resolved(job, request, model, pictures)
        return self.upscaled(job, request, model, pictures)

    def super_resolved(
        self, job: JobContext, request: ImageRequest, model: LoadedModel, pictures: Any
    ) -> Any:
        job.stage("super-resolution", until=0.70)
        told = {k: v for k, v in request.extra.items() if k == "clean_caption"}
        output = self.stage(
            job,
            request,
            model,
            "super_resolution",
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            image=pictures,
            output_type=self.small(model),
            **told,
        )
        model.finished("super_resolution_")
        return output.images
