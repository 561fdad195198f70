"""Any other pipeline of diffusers that makes clips, called by its own signature."""

from __future__ import annotations

from omnifex.pictures import Size
from omnifex.signatures import signature_of
from omnifex_registry import Model
from omnifex_video.families.clips import VideoFamily
from omnifex_video.modality import VideoRequest


class AnyPipeline(VideoFamily):
    """Queue, progress, cancel, resume and sharing as for all; what it needs is its own to say."""

    name = "diffusers"
    precedence = -1
    optional = ("prompt", "image", "video")

    def recognises(self, model: Model) -> bool:
        signature = signature_of(model.class_name)
        return signature is not None and "frames" in signature.results

    def size_multiple(self, model: Model) -> int:
        return 1

    def size_for(self, picture: Size, request: VideoRequest, model: Model) -> Size:
        """The one asked for, or else that of what is handed in."""
        return request.width or picture[0], request.height or picture[1]
