"""Flux.1 (Black Forest Labs 2024): flow matching by a transformer over packed latents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex import InvalidRequest
from omnifex.model_config import backbone_config
from omnifex_image.families.pictures import ImageFamily
from omnifex_image.modality import ImageRequest

if TYPE_CHECKING:
    from omnifex.signatures import Signature
    from omnifex_registry import Model


class Flux(ImageFamily):
    """Guidance is told to the backbone, but for schnell, which was distilled without any."""

    name = "flux"
    pipelines = ("FluxPipeline", "FluxFillPipeline", "FluxControlPipeline", "FluxKontextPipeline")
    tasks = {
        "FluxPipeline": {"image": "FluxImg2ImgPipeline", "image mask": "FluxInpaintPipeline"},
        "FluxKontextPipeline": {"image mask": "FluxKontextInpaintPipeline"},
    }
    samplers = ("euler",)  # the others take no sigmas of the pipeline's own
    patch = 2

    def named(self, signature: Signature, model: Model) -> Mapping[str, str]:
        named = {**super().named(signature, model)}
        if signature.class_name == "FluxControlPipeline":
            named["image"] = "control_image"
        if not guided(model):
            named.pop("guidance")
        return named

    def check(self, request: ImageRequest, model: Model) -> list[str]:
        true_guidance = request.extra.get("true_cfg_scale", 1)
        if request.negative_prompt and not true_guidance > 1:
            raise InvalidRequest(
                f"model {model.name!r} cannot use negative_prompt with the guidance that it was "
                "distilled with; leave it out, or set true_cfg_scale above 1 in extra."
            )
        return super().check(request, model)

    def usual(self, model: Model) -> Mapping[str, Any]:
        return {} if guided(model) else {"steps": 4}


def guided(model: Model) -> bool:
    return bool(backbone_config(model).get("guidance_embeds"))
