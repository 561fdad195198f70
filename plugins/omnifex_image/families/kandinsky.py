"""Kandinsky 2.2 (Razzhigaev et al. 2023), after DALL-E 2: a prior imagines, a decoder paints."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from omnifex.calling import argument_names
from omnifex.model_config import autoencoder_scale
from omnifex_image.families.upscaling import UpscaledFamily
from omnifex_image.modality import ImageRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model

# The pipeline of both, and of the second alone, over the same components.
DECODERS = {
    "KandinskyV22CombinedPipeline": "KandinskyV22Pipeline",
    "KandinskyV22Img2ImgCombinedPipeline": "KandinskyV22Img2ImgPipeline",
    "KandinskyV22InpaintCombinedPipeline": "KandinskyV22InpaintPipeline",
}


class Kandinsky22(UpscaledFamily):
    """The prior's words become the embedding of a picture, which the decoder is told."""

    name = "kandinsky22"
    pipelines = (*DECODERS, *DECODERS.values())
    tasks = {
        "KandinskyV22CombinedPipeline": {"image": "KandinskyV22Img2ImgCombinedPipeline"},
    }
    stages = {"prior": "KandinskyV22PriorPipeline", **UpscaledFamily.stages}
    samplers = ("ddpm", "dpm-solver++")

    def recognises(self, model: Model) -> bool:
        return super().recognises(model) and "prior_prior" in model.components

    def pipeline_for(self, request: ImageRequest, model: Model) -> str:
        """That of both stages, which says what can be asked."""
        both = {second: name for name, second in DECODERS.items()}
        name = both.get(model.class_name, model.class_name)
        return super().pipeline_for(request, replace(model, class_name=name))

    def size_multiple(self, model: Model) -> int:
        scale = autoencoder_scale(model)
        return scale * scale

    def generate(self, job: JobContext, request: ImageRequest, model: LoadedModel) -> Any:
        import diffusers

        decoder = DECODERS[self.pipeline_for(request, model.record)]
        takes, given = argument_names(decoder), self.arguments(job, request, model)
        arguments = {name: value for name, value in given.items() if name in takes}
        told = self.imagined(job, request, model)

        job.stage("decoder", until=0.80)
        pipeline = model.pipeline(getattr(diffusers, decoder), **self.sampled(request, model))
        kind = {"output_type": self.small(model)}
        output = pipeline(**{**arguments, **told, **kind}, generator=job.generator)
        model.finished("unet")
        return self.upscaled(job, request, model, output.images)

    def imagined(
        self, job: JobContext, request: ImageRequest, model: LoadedModel
    ) -> dict[str, Any]:
        """The embeddings of a picture of the prompt, and of what it is not to be."""
        job.stage("prior", until=0.20)
        output = self.stage(
            job,
            request,
            model,
            "prior",
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            output_type="pt",
        )
        model.finished("prior_")
        return {
            "image_embeds": output.image_embeds,
            "negative_image_embeds": output.negative_image_embeds,
        }
