"""Tiny adapters that are one file, by name: LoRAs, words of one's own, IP-Adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lora_models
import torch
from family_models import Checkpoints
from safetensors.torch import save_file
from tiny_parts import clip_vision

from omnifex_registry import Model
from omnifex_registry.adapters import layers_of

Make = Callable[[Any, Path], Path]  # of models by name, and a folder for its files


def lora(seed: int, rank: int, layers: list[str]) -> Make:
    def make(models: Any, folder: Path) -> Path:
        return lora_models.saved(
            folder, lora_models.changes(models["sd"], "unet", seed, rank, layers)
        )

    return make


def words(**rows: tuple[int, ...]) -> Make:
    """Random rows under these names, far from those of the table: std 1."""

    def make(_: Any, folder: Path) -> Path:
        chance = torch.Generator().manual_seed(len(str(rows)))
        tensors = {name: torch.randn(shape, generator=chance) for name, shape in rows.items()}
        return written(tensors, folder / "learned_embeds.safetensors")

    return make


def ip_adapter(model: str, seed: int, plus: bool = False, face: bool = False) -> Make:
    """As the released ones are kept: `image_proj.…` and `ip_adapter.N.to_k_ip.weight` in a file."""

    def make(models: Any, folder: Path) -> Path:
        chance = torch.Generator().manual_seed(seed)
        unet = layers_of(models[model].components["unet"])
        names = [layer for layer in unet if layer.endswith("attn2.to_k")]
        width = unet[names[0]]
        shapes = {f"image_proj.{n}": s for n, s in projection(width, plus, face).items()}
        for number, layer in enumerate(in_order(names)):
            inner = unet[layer.replace("attn2.to_k", "attn2.to_q")]
            for half in ("k", "v"):
                shapes[f"ip_adapter.{2 * number + 1}.to_{half}_ip.weight"] = (inner, width)
        tensors = {
            name: torch.randn(shape, generator=chance) * 0.3 for name, shape in shapes.items()
        }
        file = written(tensors, folder / "ip-adapter.safetensors")
        save_encoder(folder / "image_encoder")
        return file

    return make


def in_order(names: list[str]) -> list[str]:
    """As a UNet has its attention: down, up, and the middle last."""
    return sorted(names, key=lambda name: (["down", "up_b", "mid_"].index(name[:4]), name))


def projection(width: int, plus: bool, face: bool) -> dict[str, tuple[int, ...]]:
    if face:
        return {"norm.weight": (width,), "proj.0.weight": (8, 512), "proj.2.weight": (8, 8)}
    if not plus:
        return {
            "proj.weight": (4 * width, 32),
            "proj.bias": (4 * width,),
            "norm.weight": (width,),
            "norm.bias": (width,),
        }
    layers = [resampling(width, f"layers.{number}") for number in range(4)]
    return {
        "latents": (1, 4, width),
        "proj_in.weight": (width, 32),
        "proj_in.bias": (width,),
        "proj_out.weight": (width, width),
        "proj_out.bias": (width,),
        "norm_out.weight": (width,),
        "norm_out.bias": (width,),
        **{name: shape for layer in layers for name, shape in layer.items()},
    }


def resampling(width: int, layer: str) -> dict[str, tuple[int, ...]]:
    """A layer of Plus, one head of 64."""
    norms = {f"{layer}.{norm}.weight": (width,) for norm in ("0.norm1", "0.norm2", "1.0")}
    return {
        **norms,
        **{name.replace("weight", "bias"): shape for name, shape in norms.items()},
        f"{layer}.0.to_q.weight": (64, width),
        f"{layer}.0.to_kv.weight": (128, width),
        f"{layer}.0.to_out.weight": (width, 64),
        f"{layer}.1.1.weight": (4 * width, width),
        f"{layer}.1.3.weight": (width, 4 * width),
    }


def save_encoder(folder: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = clip_vision().eval()
    encoder.save_pretrained(folder)


def written(tensors: Mapping[str, torch.Tensor], path: Path) -> Path:
    path.parent.mkdir(parents=True)
    save_file(dict(tensors), path)
    return path


ADAPTERS: Mapping[str, Make] = {
    "pixel": lora(1, 2, ["to_q", "to_v"]),
    "ink": lora(2, 4, ["to_k", "to_out.0", "conv1"]),
    "cat": words(**{"<cat>": (32,)}),
    "dog": words(emb_params=(3, 32)),
    "cat-xl": words(clip_l=(2, 32), clip_g=(2, 32)),
    "wide": words(**{"<wide>": (768,)}),
    "ip": ip_adapter("sd", 1),
    "ip-plus": ip_adapter("sd", 2, plus=True),
    "ip-xl": ip_adapter("sdxl", 3),
    "ip-face": ip_adapter("sd", 4, face=True),
}


def add(models: Checkpoints, name: str) -> Model:
    """The adapter in the registry of the models' workbench, as a file that was added."""
    if name not in models.beside:
        file = ADAPTERS[name](models, models.folder / f"{name}-files")
        models.beside[name] = models.bench.add(file, name)
    return models.beside[name]
