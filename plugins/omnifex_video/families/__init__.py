"""Other people's checkpoints of clips: a file a family."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from omnifex import Family

HOMES = {
    "wan": "Wan",
    "cogvideox": "CogVideoX",
    "ltx": "LTX",
    "ltx2": "LTX2",
    "latte": "Latte",
    "hunyuan": "HunyuanVideo",
    "svd": "StableVideoDiffusion",
    "animatediff": "AnimateDiff",
    "cosmos3": "Cosmos3",
    "any": "AnyPipeline",
}


def families() -> list[Family[Any]]:
    """All of them; a checkpoint is the first one's that recognises it."""
    return [
        getattr(import_module(f"omnifex_video.families.{home}"), name)()
        for home, name in HOMES.items()
    ]
