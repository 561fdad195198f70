"""Stable Diffusion 3 and 3.5 (Esser et al. 2024): flow matching by MM-DiT, three text encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnifex.model_config import backbone_config
from omnifex_image.families.pictures import ImageFamily
from omnifex_image.modality import ImageRequest
from omnifex_registry import Model

if TYPE_CHECKING:
    from omnifex.engine.model import LoadedModel


class StableDiffusion3(ImageFamily):
    name = "sd3"
    pipelines = (
        "StableDiffusion3Pipeline",
        "StableDiffusion3Img2ImgPipeline",
        "StableDiffusion3InpaintPipeline",
    )
    tasks = {
        "StableDiffusion3Pipeline": {
            "image": "StableDiffusion3Img2ImgPipeline",
            "image mask": "StableDiffusion3InpaintPipeline",
        }
    }

    def pipeline_class(self, request: ImageRequest, model: LoadedModel) -> Any:
        if self.pipeline_for(request, model.record) != "StableDiffusion3ControlNetPipeline":
            return super().pipeline_class(request, model)
        from omnifex_image.families.sd3_control import SeededControlNetPipeline

        return SeededControlNetPipeline

    def size_multiple(self, model: Model) -> int:
        return super().size_multiple(model) * int(backbone_config(model).get("patch_size", 1))
