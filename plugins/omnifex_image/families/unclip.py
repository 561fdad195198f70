"""Karlo, after DALL-E 2 (Ramesh et al. 2022): prior, pixel decoder and super-resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnifex_image.families.pictures import ImageFamily
from omnifex_image.modality import ImageRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel

# The schedulers that the pipeline samples with, one after another, and the share done after each.
STAGES = {
    "prior_scheduler": ("prior", 0.2),
    "decoder_scheduler": ("decoder", 0.7),
    "super_res_scheduler": ("super-resolution", 0.9),
}


class UnCLIP(ImageFamily):
    """All three in one pipeline; the steps of the others are in `extra`, by its own names."""

    name = "unclip"
    pipelines = ("UnCLIPPipeline", "UnCLIPImageVariationPipeline")
    fields = {"steps": "decoder_num_inference_steps", "guidance": "decoder_guidance_scale"}
    samplers = ()

    def generate(self, job: JobContext, request: ImageRequest, model: LoadedModel) -> Any:
        """The schedulers tell of the stages."""
        arguments = self.arguments(job, request, model)
        output = self.pipeline(request, model)(**arguments, generator=job.generator)
        return self.media(output, request)

    def pipeline(self, request: ImageRequest, model: LoadedModel) -> Any:
        pipeline = super().pipeline(request, model)
        for slot, stage in STAGES.items():
            if scheduler := getattr(pipeline, slot, None):
                scheduler.stage = stage
        return pipeline
