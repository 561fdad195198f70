"""Clips: H.264 MP4, VP9 WebM and GIF."""

from typing import Any

from omnifex import Family, Modality, Scorer, hookimpl
from omnifex_registry import allow_library

allow_library("omnifex_video")


@hookimpl
def register_modalities() -> list[Modality[Any]]:
    from omnifex_video.modality import VideoModality

    return [VideoModality()]


@hookimpl
def register_families() -> list[Family[Any]]:
    from omnifex_video.families import families
    from omnifex_video.prism import PrismVideo

    return [PrismVideo(), *families()]


@hookimpl
def register_scorers() -> list[Scorer[Any]]:
    from omnifex_video.scorers import VideoAesthetics, VideoAgreement

    return [VideoAgreement(), VideoAesthetics()]
