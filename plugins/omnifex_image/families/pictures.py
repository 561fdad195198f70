"""What families of pictures have in common."""

from __future__ import annotations

from typing import Any

from omnifex import PipelineFamily
from omnifex_image.modality import ImageRequest


class ImageFamily(PipelineFamily[ImageRequest]):
    """A pipeline of diffusers that returns `images`."""

    modality = "image"
    constants = {"output_type": "np"}

    def media(self, output: Any, request: ImageRequest) -> Any:
        return output.images[0]  # (H, W, 3), floats in [0, 1]
