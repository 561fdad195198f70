"""Clips: H.264 MP4, VP9 WebM and GIF."""

from omnifex import Family, Modality, hookimpl


@hookimpl
def register_modalities() -> list[Modality]:
    from omnifex_video.modality import VideoModality

    return [VideoModality()]


@hookimpl
def register_families() -> list[Family]:
    from omnifex_video.prism import PrismVideo

    return [PrismVideo()]
