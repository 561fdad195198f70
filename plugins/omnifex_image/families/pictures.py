"""What families of pictures have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex import PipelineFamily
from omnifex.signatures import signature_of
from omnifex_image.control import networks
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
    beside = ("control",)

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
        return warnings

    def components(self, request: ImageRequest, model: LoadedModel) -> Mapping[str, Any]:
        own = super().components(request, model)
        return {**own, **networks.modules(request.control, model)} if request.control else own

    def arguments(
        self, job: JobContext, request: ImageRequest, model: LoadedModel
    ) -> Mapping[str, Any]:
        given = super().arguments(job, request, model)
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
