"""Tiny LoRAs, made by peft, as the files that trainers leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch
from family_models import Checkpoints
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import save_file

from omnifex_registry import Model, load_component

Weights = Mapping[str, torch.Tensor]


def changes(model: Model, role: str, seed: int, rank: int, layers: Sequence[str]) -> Weights:
    """Random changes of these layers of a component, by the names that peft gives them."""
    module: Any = load_component(model.components[role])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module.add_adapter(LoraConfig(r=rank, target_modules=layers, init_lora_weights=False))
    return dict(get_peft_model_state_dict(module))


def saved(folder: Path, unet: Weights, text: Weights | None = None) -> Path:
    """As diffusers saves them."""
    diffusers.StableDiffusionPipeline.save_lora_weights(folder, unet, text)
    return folder / "pytorch_lora_weights.safetensors"


def kohya(path: Path, unet: Weights, alpha: float) -> Path:
    """As Kohya's trainer saves them, scaled by alpha over the rank."""
    told = {}
    for name, value in unet.items():
        layer, _, half = name.removesuffix(".weight").rpartition(".")
        layer = f"lora_unet_{layer.replace('.', '_')}"
        told[f"{layer}.{'lora_down' if half == 'lora_A' else 'lora_up'}.weight"] = value
        told[f"{layer}.alpha"] = torch.tensor(alpha)
    save_file(told, path)
    return path


def by_peft(path: Path, unet: Weights) -> Path:
    """As peft saves a model of its own."""
    save_file({f"base_model.model.{n}": v for n, v in unet.items()}, path)
    return path


def add(models: Checkpoints, path: Path, name: str) -> Model:
    """The file in the registry of the models' workbench."""
    return models.bench.add(path, name)
