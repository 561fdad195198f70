"""Other people's checkpoints of pictures: a file a family."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from omnifex import Family

HOMES = {
    "sd": ("StableDiffusion",),
    "sdxl": ("StableDiffusionXL",),
    "lcm": ("LatentConsistency",),
    "classes": ("DiffusionTransformer", "Consistency", "Unconditional"),
    "unidiffuser": ("UniDiffuser",),
    "sd3": ("StableDiffusion3",),
    "flux": ("Flux",),
    "flows": ("QwenImage", "ZImage", "Flux2"),
    "deepfloyd": ("DeepFloyd",),
    "kandinsky": ("Kandinsky22",),
    "unclip": ("UnCLIP",),
    "marigold": ("Marigold",),
    "any": ("AnyPipeline",),
}


def families() -> list[Family[Any]]:
    """All of them; a checkpoint is the first one's that recognises it."""
    return [
        getattr(import_module(f"omnifex_image.families.{home}"), name)()
        for home, names in HOMES.items()
        for name in names
    ]
