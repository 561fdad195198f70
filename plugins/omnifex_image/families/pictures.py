"""What families of pictures have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex import PipelineFamily
from omnifex.signatures import signature_of
from omnifex_image.control import image_prompts, networks
from omnifex_image.modality import ImageRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex.signatures import Signature
    from omnifex_registry import Model


class ImageFamily(PipelineFamily[ImageRequest]):
    """A pipeline of diffusers that returns `images`, and may be controlled by pictures."""

    modality = "image"
    constants = {"output_type": "np"}
    beside = ("control", "image_prompt")

    def pipeline_for(self, request: ImageRequest, model: Model) -> str:
        return networks.controlled(super().pipeline_for(request, model), request.control, model)

    def named(self, signature: Signature, model: Model) -> Mapping[str, str]:
        named = {**super().named(signature, model)}
        if signature.class_name in networks.PIPELINES and "control_image" not in signature:
            del named["image"]  # it is not the one to start from
        return named

    def check(self, request: ImageRequest, model: Model) -> list[str]:
        warnings = super().check(request, model)
        networks.check(request.control, model)
        image_prompts.check(request.image_prompt, self.pipeline_for(request, model), model)
        return warnings

    def adapters(self, request: ImageRequest, model: LoadedModel) -> Mapping[str, Any]:
        own = super().adapters(request, model)
        prompts = image_prompts.adapters(request.image_prompt, model)
        return {**own, "unet": [*own.get("unet", ()), *prompts]} if prompts else own

    def components(self, request: ImageRequest, model: LoadedModel) -> Mapping[str, Any]:
        own = super().components(request, model)
        nets = networks.modules(request.control, model) if request.control else {}
        return {**own, **nets, **image_prompts.modules(request.image_prompt, model)}

    def arguments(
        self, job: JobContext, request: ImageRequest, model: LoadedModel
    ) -> Mapping[str, Any]:
        given = super().arguments(job, request, model)
        given = {**given, **image_prompts.pictures(job, request.image_prompt, model)}
        if not request.control:
            return given
        signature = signature_of(self.pipeline_for(request, model.record))
        assert signature is not None, "pipelines with control are those of diffusers"
        size = (given["width"], given["height"]) if {"width", "height"} <= given.keys() else None
        multiple = self.size_multiple(model.record)
        told = networks.arguments(job, request.control, model, signature, size, multiple)
        return {**told, **given}

    def media(self, output: Any, request: ImageRequest) -> Any:
        return output.images[0]  # (H, W, 3), floats in [0, 1]
