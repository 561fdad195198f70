"""What the config files of a registered model say: read where there is no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnifex_registry import Model

NAMES = ("config.json", "scheduler_config.json")


def component_config(model: Model, role: str) -> Mapping[str, Any]:
    """The config of the component in this slot; empty where there is none."""
    part = model.components.get(role)
    return {} if part is None else read(part.path)


@lru_cache(maxsize=256)
def read(folder: Path) -> Mapping[str, Any]:
    for name in NAMES:
        if (folder / name).is_file():
            found: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
            return found
    return {}


def backbone_config(model: Model) -> Mapping[str, Any]:
    """The config of the model's UNet or transformer."""
    return component_config(model, "transformer") or component_config(model, "unet")


def autoencoder_scale(model: Model) -> int:
    """How many pixels across a latent stands for; 1 for a model that works on pixels."""
    config = component_config(model, "vae") or component_config(model, "movq")
    if "temperal_downsample" in config:  # so spelt by Wan and Qwen-Image
        return 1 << len(config["temperal_downsample"])
    blocks = config.get("block_out_channels") or config.get("encoder_block_out_channels")
    return 1 << len(blocks) - 1 if blocks else 1
