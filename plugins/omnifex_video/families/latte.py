"""Latte (Ma et al. 2024): a diffusion transformer that looks along space and time by turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnifex import InvalidRequest
from omnifex.model_config import backbone_config
from omnifex_video.families.clips import VideoFamily

if TYPE_CHECKING:
    from omnifex_registry import Model


class Latte(VideoFamily):
    """From words, in as many frames as it was taught."""

    name = "latte"
    pipelines = ("LattePipeline",)
    patch = 2

    def check_frames(self, frames: int, model: Model) -> None:
        own = backbone_config(model).get("video_length", 16)
        if frames not in (1, own):
            raise InvalidRequest(
                f"frames is {frames}, but model {model.name!r} makes {own}, or one; "
                "leave frames out or choose another model."
            )
