"""What is asked of each family of clips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from family_case import BEGUN, CUBE, GUIDED, MILD, PICTURE, SMALL, Case, both

WORDS: Mapping[str, Any] = {"extra": {"max_sequence_length": 16}}
HUNYUAN = {"max_sequence_length": 16, "prompt_template": {"template": "{}", "crop_start": 0}}
LARGER = {"width": 32, "height": 32}


def clip(model: str, pipeline: str | None = None, **fields: Any) -> Case:
    return Case(model, **both(steps=6, **fields), pipeline=pipeline, modality="video")


def begun(model: str, pipeline: str | None = None, **fields: Any) -> Case:
    """A clip that starts from a picture."""
    asked = both(steps=6, **fields)
    return Case(model, **asked, pipeline=pipeline, files=PICTURE, modality="video")


def cosmos(files: tuple[str, ...] = ()) -> Case:
    """A clip with its sound, which the pipeline makes when it is told to."""
    asked = both(**GUIDED, **SMALL, steps=4, frames=9)
    call = {**asked["call"], "enable_sound": True}
    return Case("cosmos3", asked["request"], call, files=files, modality="video")


def onward(model: str, pipeline: str, **fields: Any) -> Case:
    """From a clip of nine frames."""
    asked = both(**{**GUIDED, **SMALL, **BEGUN, **fields})
    return Case(model, **asked, pipeline=pipeline, files=("video",), modality="video")


CLIPS: Mapping[str, Case] = {
    "wan": clip("wan", **GUIDED, **SMALL, **WORDS, frames=9),
    "wan image": begun("wan-image", **GUIDED, **SMALL, **WORDS, frames=9),
    "wan 5b": clip("wan-both", **GUIDED, **SMALL, **WORDS, frames=9),
    "wan 5b image": begun(
        "wan-both", "WanImageToVideoPipeline", **GUIDED, **SMALL, **WORDS, frames=9
    ),
    "wan 14b": clip("wan-halves", **GUIDED, **SMALL, **WORDS, frames=9),
    "cogvideox": clip("cogvideox", **GUIDED, **SMALL, **WORDS, frames=9),
    "cogvideox image": begun("cogvideox-image", **GUIDED, **LARGER, **WORDS, frames=9),
    "ltx": clip("ltx", **GUIDED, **LARGER, **WORDS, frames=9),
    "ltx image": begun("ltx", "LTXImageToVideoPipeline", **GUIDED, **LARGER, **WORDS, frames=9),
    "ltx2": clip("ltx2", **CUBE, **LARGER, **WORDS, **MILD, frames=9),
    "ltx2 image": begun(
        "ltx2", "LTX2ImageToVideoPipeline", **CUBE, **LARGER, **WORDS, **MILD, frames=9
    ),
    "latte": Case(
        "latte",
        {**GUIDED, **MILD, **SMALL, "steps": 6, "frames": 4, "extra": {"clean_caption": False}},
        {
            **both(**{**GUIDED, **MILD}, **SMALL, steps=6)["call"],
            "video_length": 4,
            "clean_caption": False,
        },
        modality="video",
    ),
    "hunyuan-video": clip("hunyuan-video", **CUBE, **SMALL, guidance=5.0, frames=9, extra=HUNYUAN),
    "skyreels image": begun("skyreels", **CUBE, **SMALL, guidance=1.0, frames=9, extra=HUNYUAN),
    "svd": Case(
        "svd",
        {**LARGER, "steps": 6, "frames": 2, "guidance": 3.0},
        {**LARGER, "num_inference_steps": 6, "num_frames": 2, "max_guidance_scale": 3.0},
        files=PICTURE,
        modality="video",
    ),
    "any clip (skyreels 2)": clip("skyreels-2", **GUIDED, **SMALL, **WORDS, frames=9),
    "wan video": onward("wan", "WanVideoToVideoPipeline", **WORDS),
    "cogvideox video": onward("cogvideox", "CogVideoXVideoToVideoPipeline", **MILD, **WORDS),
    "animatediff video": onward("animatediff", "AnimateDiffVideoToVideoPipeline"),
    "cosmos3": cosmos(),
    "cosmos3 image": cosmos(PICTURE),
    "animatediff": clip("animatediff", **GUIDED, **SMALL, frames=4),
}
