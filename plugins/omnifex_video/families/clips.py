"""What families of clips have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnifex import InvalidRequest, PipelineFamily
from omnifex.pictures import Size, fitted, opened, rounded
from omnifex.signatures import signature_of
from omnifex_video.modality import VideoRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex.signatures import Signature
    from omnifex_registry import Model

RATES = ("fps", "frame_rate")  # what pipelines call frames in a second


class VideoFamily(PipelineFamily[VideoRequest]):
    """A pipeline of diffusers that returns `frames`."""

    modality = "video"
    constants = {"output_type": "np"}
    fps: int = 8
    """What it was taught, where its pipeline does not say."""
    stride: int = 1
    """Frames that its latents take as one, after the first."""

    def check(self, request: VideoRequest, model: Model) -> list[str]:
        if request.frames is not None:
            self.check_frames(request.frames, model)
        return super().check(request, model)

    def check_frames(self, frames: int, model: Model) -> None:
        """Refuse a count of frames that the model's latents cannot have."""
        if over := (frames - 1) % self.stride:
            below = frames - over
            raise InvalidRequest(
                f"frames is {frames}, but model {model.name!r} makes one and multiples of "
                f"{self.stride} after it; ask for {below} or {below + self.stride}."
            )
        most = self.most_frames(model)
        if most is not None and frames > most:
            raise InvalidRequest(
                f"frames is {frames}, but model {model.name!r} makes {most} at most; ask for less."
            )

    def most_frames(self, model: Model) -> int | None:
        """How many it has places for; None where any number will do."""
        return None

    def named(self, signature: Signature, model: Model) -> Mapping[str, str]:
        """With the rate, which every clip has, and some pipelines are told."""
        rate = next((name for name in RATES if name in signature), None)
        return {**super().named(signature, model), **({"fps": rate} if rate else {})}

    def defaults(self, request: VideoRequest, model: Model) -> Mapping[str, Any]:
        signature = signature_of(self.pipeline_for(request, model))
        own = (signature.default(rate) for rate in RATES) if signature else ()
        fps = next((int(rate) for rate in own if rate), self.fps)
        return {**super().defaults(request, model), "fps": fps}

    def pictures(
        self, job: JobContext, request: VideoRequest, model: LoadedModel, signature: Signature
    ) -> dict[str, Any]:
        """The picture or the clip, and a size in its own proportions where none is asked for."""
        if request.video is not None:
            return self.clip(job.input(request.video), request, model.record)
        if request.image is None:
            return {}
        picture = opened(job.input(request.image))
        size = self.size_for(picture.size, request, model.record)
        return {"image": fitted(picture, size), "width": size[0], "height": size[1]}

    def clip(self, file: Path, request: VideoRequest, model: Model) -> dict[str, Any]:
        """As many of its frames as the model's latents can have, from the first on."""
        from PIL import Image

        from omnifex_video.files import decode

        frames = decode(file.read_bytes()).frames
        count = len(frames) - (len(frames) - 1) % self.stride
        most = self.most_frames(model) or count
        pictures = [Image.fromarray(frame) for frame in frames[: min(count, most)]]
        size = self.size_for(pictures[0].size, request, model)
        fit = [fitted(picture, size) for picture in pictures]
        return {"video": fit, "width": size[0], "height": size[1]}

    def size_for(self, picture: Size, request: VideoRequest, model: Model) -> Size:
        """The size asked for; or one of the picture's proportions, about as large as usual."""
        usual, multiple = self.usual_size(request, model), self.size_multiple(model)
        if request.width and request.height:
            return request.width, request.height
        if request.width or request.height:
            return request.width or usual[0], request.height or usual[1]
        scale = math.sqrt(usual[0] * usual[1] / (picture[0] * picture[1]))
        near = (round(side * scale / multiple) * multiple for side in picture)
        return rounded((next(near), next(near)), multiple)

    def usual_size(self, request: VideoRequest, model: Model) -> Size:
        """Width and height where nobody asks for any, as the pipeline's signature has them."""
        signature = signature_of(self.pipeline_for(request, model))
        assert signature is not None
        return signature.default("width"), signature.default("height")

    def media(self, output: Any, request: VideoRequest) -> Any:
        return output.frames[0]  # (T, H, W, 3), floats in [0, 1]
