"""The last stage of a cascade: Stable Diffusion's upscaler, where the model has its slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnifex_image.families.pictures import ImageFamily
from omnifex_image.modality import ImageRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel


class UpscaledFamily(ImageFamily):
    """A family whose pictures become four times as large with `upscaler_unet` and its like."""

    stages = {"upscaler": "StableDiffusionUpscalePipeline"}

    def small(self, model: LoadedModel) -> str:
        """The output type of the stage before: tensors, where another one is to come."""
        return "pt" if "upscaler_unet" in model else "np"

    def upscaled(
        self, job: JobContext, request: ImageRequest, model: LoadedModel, pictures: Any
    ) -> Any:
        """The picture, once more as large; `pictures` (1, 3, H, W) in [-1, 1] for the upscaler."""
        if "upscaler_unet" not in model:
            return pictures[0]
        job.stage("upscaler", until=0.90)
        output = self.stage(
            job,
            request,
            model,
            "upscaler",
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            image=pictures,
            output_type="np",
        )
        return output.images[0]
