"""Clips: H.264 MP4, VP9 WebM and GIF."""

from omnifex import hookimpl
from omnifex_video.modality import VideoModality
from omnifex_video.prism import PrismVideo


@hookimpl
def register_modalities() -> list[VideoModality]:
    return [VideoModality()]


@hookimpl
def register_families() -> list[PrismVideo]:
    return [PrismVideo()]
