"""Shap-E (Jun and Nichol 2023): a solid is the weights of a small network, made by a prior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnifex import InvalidRequest, PipelineFamily
from omnifex_mesh.modality import MeshRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model

RESOLUTION = 128  # points of the field along an edge
FINEST = 512


class ShapE(PipelineFamily[MeshRequest]):
    """From words, or from a picture; `resolution` in extra is that of the field."""

    name = "shap-e"
    modality = "mesh"
    pipelines = ("ShapEPipeline", "ShapEImg2ImgPipeline")
    constants = {"output_type": "latent"}
    options = ("resolution",)
    samplers = ()

    def check(self, request: MeshRequest, model: Model) -> list[str]:
        warnings = super().check(request, model)
        resolution = request.extra.get("resolution", RESOLUTION)
        if not isinstance(resolution, int) or not 8 <= resolution <= FINEST:
            raise InvalidRequest(
                f"extra has resolution {resolution!r}; it is a whole number from 8 to {FINEST}."
            )
        return warnings

    def generate(self, job: JobContext, request: MeshRequest, model: LoadedModel) -> Any:
        from omnifex_mesh.families.shap_e_field import field_of, sampled
        from omnifex_mesh.marching import surface

        latents = self.output(job, request, model).images
        field = field_of(latents, model["shap_e_renderer"])
        resolution = request.extra.get("resolution", RESOLUTION)
        return surface(*sampled(field, resolution, job.device, job.check))
