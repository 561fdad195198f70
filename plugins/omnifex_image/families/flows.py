"""The newer open flow models of diffusers, which differ in their text encoders and little else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from omnifex_image.families.pictures import ImageFamily

if TYPE_CHECKING:
    from omnifex.signatures import Signature
    from omnifex_registry import Model


class QwenImage(ImageFamily):
    """Qwen-Image (2025) and its editing models; guided where there is a negative prompt."""

    name = "qwen-image"
    pipelines = ("QwenImagePipeline", "QwenImageEditPipeline", "QwenImageEditPlusPipeline")
    tasks = {
        "QwenImagePipeline": {
            "image": "QwenImageImg2ImgPipeline",
            "image mask": "QwenImageInpaintPipeline",
        },
        "QwenImageEditPipeline": {"image mask": "QwenImageEditInpaintPipeline"},
    }
    fields = {"guidance": "true_cfg_scale"}
    samplers = ("euler",)
    patch = 2


class ZImage(ImageFamily):
    """Z-Image and its Turbo (2025)."""

    name = "z-image"
    pipelines = ("ZImagePipeline",)
    tasks = {
        "ZImagePipeline": {"image": "ZImageImg2ImgPipeline", "image mask": "ZImageInpaintPipeline"}
    }
    samplers = ("euler",)
    patch = 2


class Flux2(ImageFamily):
    """Flux.2 and Klein (2025): pictures that are given are referred to, not begun with."""

    name = "flux2"
    pipelines = ("Flux2Pipeline", "Flux2KleinPipeline")
    tasks = {"Flux2KleinPipeline": {"image mask": "Flux2KleinInpaintPipeline"}}
    optional = ("image",)
    samplers = ("euler",)
    patch = 2

    def named(self, signature: Signature, model: Model) -> Mapping[str, str]:
        """A distilled one has no use for guidance."""
        named = {**super().named(signature, model)}
        if model.config.get("is_distilled"):
            named.pop("guidance")
        return named
