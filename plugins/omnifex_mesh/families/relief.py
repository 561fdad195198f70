"""A picture as a relief: Marigold (Ke et al. 2024) tells its depth, the picture the colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnifex import InvalidRequest, PipelineFamily
from omnifex.pictures import opened
from omnifex_mesh.modality import MeshRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model

# What `extra` may say, with what is usual: points along the longest side; height above the back.
RESOLUTION, HEIGHT = 256, 0.25
FINEST = 2048


class Relief(PipelineFamily[MeshRequest]):
    """As wide as the picture, with a flat back; `resolution` and `height` are in extra."""

    name = "relief"
    modality = "mesh"
    pipelines = ("MarigoldDepthPipeline",)
    constants = {"output_type": "np"}
    options = ("resolution", "height")
    samplers = ("ddim", "lcm")

    def check(self, request: MeshRequest, model: Model) -> list[str]:
        resolution = request.extra.get("resolution", RESOLUTION)
        if not isinstance(resolution, int) or not 2 <= resolution <= FINEST:
            raise InvalidRequest(
                f"extra has resolution {resolution!r}; it is a whole number from 2 to {FINEST}."
            )
        height = request.extra.get("height", HEIGHT)
        if not isinstance(height, int | float) or not 0 < height <= 1:
            raise InvalidRequest(
                f"extra has height {height!r}; it is a number above 0 and at most 1."
            )
        return super().check(request, model)

    def generate(self, job: JobContext, request: MeshRequest, model: LoadedModel) -> Any:
        from omnifex_mesh.reliefs import relief

        depth = self.media(self.output(job, request, model), request)
        assert request.image is not None, "it was checked to be given"
        picture = opened(job.input(request.image))
        resolution = request.extra.get("resolution", RESOLUTION)
        return relief(depth, picture, resolution, request.extra.get("height", HEIGHT))

    def media(self, output: Any, request: MeshRequest) -> Any:
        return output.prediction[0, ..., 0]  # (H, W) in [0, 1], 0 nearest
