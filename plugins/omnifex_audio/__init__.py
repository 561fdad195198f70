"""Sounds: WAV, FLAC and Opus."""

from omnifex import hookimpl
from omnifex_audio.modality import AudioModality
from omnifex_audio.prism import PrismAudio, PrismDiffusionAudio


@hookimpl
def register_modalities() -> list[AudioModality]:
    return [AudioModality()]


@hookimpl
def register_families() -> list[PrismAudio]:
    return [PrismAudio(), PrismDiffusionAudio()]
