"""AnimateDiff (Guo et al. 2023): Stable Diffusion, with layers between the frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnifex.model_config import backbone_config, component_config
from omnifex_video.families.clips import VideoFamily

if TYPE_CHECKING:
    from omnifex_registry import Model


class AnimateDiff(VideoFamily):
    """From words or from a clip, in as many frames as its motion adapter has places for."""

    name = "animatediff"
    pipelines = ("AnimateDiffPipeline", "AnimateDiffVideoToVideoPipeline")
    tasks = {"AnimateDiffPipeline": {"video": "AnimateDiffVideoToVideoPipeline"}}
    multiple = 8

    def most_frames(self, model: Model) -> int | None:
        config = component_config(model, "motion_adapter") or backbone_config(model)
        most: int | None = config.get("motion_max_seq_length")
        return most
