"""LTX-Video (HaCohen et al. 2024): few latents, each of 32×32 pixels and 8 frames."""

from __future__ import annotations

from omnifex_video.families.clips import VideoFamily


class LTX(VideoFamily):
    """From words, or from a picture."""

    name = "ltx"
    pipelines = ("LTXPipeline", "LTXImageToVideoPipeline", "LTXConditionPipeline")
    tasks = {"LTXPipeline": {"image": "LTXImageToVideoPipeline"}}
    optional = ("image", "video")
    samplers = ("euler",)
    stride = 8
    multiple = 32
