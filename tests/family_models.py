"""Tiny checkpoints of the families, by name, each built and saved when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import tiny_images as images
import torch
from PIL import Image
from tiny_parts import SCALED_LINEAR, stable_diffusion, unet
from torch import nn

from omnifex.workbench import Workbench
from omnifex_registry import Model

MODELS: Mapping[str, Callable[[], Any]] = {
    "sd": images.sd15,
    "sd-v": lambda: diffusers.StableDiffusionPipeline(
        **stable_diffusion(
            scheduler=diffusers.DDIMScheduler(**SCALED_LINEAR, prediction_type="v_prediction")
        )
    ),
    "sd-inpaint": lambda: diffusers.StableDiffusionInpaintPipeline(
        **stable_diffusion(unet=unet(in_channels=9))
    ),
    "sdxl": images.sdxl,
    "flux": images.flux,
}


def save(name: str, folder: Path) -> Path:
    """The checkpoint as a model folder; the global randomness is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = MODELS[name]()
    for component in pipeline.components.values():
        if isinstance(component, nn.Module):
            component.eval()
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


class Checkpoints:
    """The models of one workbench and pictures to hand in, made once, below one folder."""

    def __init__(self, bench: Workbench, folder: Path) -> None:
        self.bench, self.folder = bench, folder
        self._models: dict[str, Model] = {}

    def __getitem__(self, name: str) -> Model:
        if name not in self._models:
            self._models[name] = self.bench.add(save(name, self.folder / name), name)
        return self._models[name]

    def file(self, kind: str) -> Path:
        """A picture of 24×16 pixels, or a mask of its left half."""
        path = self.folder / f"{kind}.png"
        if not path.exists():
            drawn(kind).save(path)
        return path


def drawn(kind: str) -> Image.Image:
    if kind == "mask":
        mask = Image.new("L", (24, 16))
        mask.paste(255, (0, 0, 12, 16))
        return mask
    noise = torch.randint(0, 256, (16, 24, 3), generator=torch.Generator().manual_seed(9))
    return Image.fromarray(noise.byte().numpy())
