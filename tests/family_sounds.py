"""What is asked of each family of sounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_oobleck import OobleckDiagonalGaussianDistribution
from family_case import CUBE, GUIDED, MILD, Case, Make, both
from torchaudio.functional import resample

GIVEN = ("audio",)


def sound(model: str, seconds: float, name: str, files: tuple[str, ...] = (), **asked: Any) -> Case:
    """`name` is what the pipeline calls the seconds."""
    told = both(steps=6, **asked)
    return Case(
        model,
        {**told["request"], "seconds": seconds},
        {**told["call"], name: seconds},
        files=files,
        modality="audio",
    )


def begun(make: Make, call: Mapping[str, Any], generator: torch.Generator) -> Any:
    """The sound as the pipeline wants it: at the model's rate, in a batch of one."""
    told = {name: value for name, value in call.items() if name != "audio"}
    waves = resample(call["audio"], 50, told["initial_audio_sampling_rate"])[None]
    pipeline = make("StableAudioPipeline")
    return pipeline(
        **told, initial_audio_waveforms=waves, output_type="np", generator=generator
    ).audios[0]


def covered(make: Make, call: Mapping[str, Any], generator: torch.Generator) -> Any:
    """The pipeline, told which generator to draw the covered sound from."""
    pipeline = make("AceStepPipeline")
    told = {name: value for name, value in call.items() if name != "audio"}
    draw = OobleckDiagonalGaussianDistribution.sample
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OobleckDiagonalGaussianDistribution, "sample", lambda d: draw(d, generator))
        return pipeline(
            **told, src_audio=call["audio"], output_type="np", generator=generator
        ).audios[0]


def pooled(make: Make, call: Mapping[str, Any], generator: torch.Generator) -> Any:
    """The pipeline over a CLAP that returns what it did before transformers 5."""
    pipeline = make("MusicLDMPipeline")
    clap, real = pipeline.text_encoder, pipeline.text_encoder.get_text_features
    clap.get_text_features = lambda *args, **kwargs: real(*args, **kwargs).pooler_output
    try:
        return pipeline(**call, output_type="np", generator=generator).audios[0]
    finally:
        del clap.get_text_features


SOUNDS: Mapping[str, Case] = {
    "any sound (audioldm)": sound("audioldm", 0.016, "audio_length_in_s", **{**GUIDED, **MILD}),
    "stable-audio": sound("stable-audio", 3.0, "audio_end_in_s", **GUIDED),
    "stable-audio sound": Case(
        "stable-audio",
        {**GUIDED, "steps": 6, "seconds": 3.0},
        {
            **both(**GUIDED, steps=6)["call"],
            "audio_end_in_s": 3.0,
            "initial_audio_sampling_rate": 4,
        },
        files=GIVEN,
        modality="audio",
        by=begun,
    ),
    "audioldm2": sound("audioldm2", 0.016, "audio_length_in_s", **{**GUIDED, **MILD}),
    "ace-step": sound(
        "ace-step",
        0.4,
        "audio_duration",
        **CUBE,
        **MILD,
        lyrics="[verse] soft",
        extra={"max_text_length": 32},
    ),
    "ace-step cover": Case(
        "ace-step-cover",
        {**CUBE, **MILD, "steps": 6},
        {**both(**CUBE, **MILD, steps=6)["call"], "task_type": "cover", "audio_duration": None},
        files=GIVEN,
        modality="audio",
        by=covered,
    ),
    "musicldm": Case(
        "musicldm",
        {**GUIDED, "steps": 6, "seconds": 0.016},
        {**both(**GUIDED, steps=6)["call"], "audio_length_in_s": 0.016},
        modality="audio",
        by=pooled,
    ),
}
