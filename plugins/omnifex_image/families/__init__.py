"""Other people's checkpoints of pictures: a file a family."""

from __future__ import annotations

from typing import Any

from omnifex import Family


def families() -> list[Family[Any]]:
    """All of them; a checkpoint is the first one's that recognises it."""
    from omnifex_image.families.flux import Flux
    from omnifex_image.families.sd import StableDiffusion
    from omnifex_image.families.sdxl import StableDiffusionXL

    return [StableDiffusion(), StableDiffusionXL(), Flux()]
