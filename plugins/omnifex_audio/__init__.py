"""Sounds: WAV, FLAC and Opus."""

from typing import Any

from omnifex import Family, Modality, Scorer, hookimpl


@hookimpl
def register_modalities() -> list[Modality[Any]]:
    from omnifex_audio.modality import AudioModality

    return [AudioModality()]


@hookimpl
def register_families() -> list[Family[Any]]:
    from omnifex_audio.families import families
    from omnifex_audio.prism import PrismAudio, PrismDiffusionAudio

    return [PrismAudio(), PrismDiffusionAudio(), *families()]


@hookimpl
def register_scorers() -> list[Scorer[Any]]:
    from omnifex_audio.scorers import ClapAgreement

    return [ClapAgreement()]
