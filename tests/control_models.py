"""Tiny control networks of the real classes, as models of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
from family_models import Checkpoints
from tiny_parts import awakened

from omnifex_registry import Model

WIDTHS = (8, 16)


def controlnet(**other: Any) -> Any:
    settings: dict[str, Any] = {
        "block_out_channels": WIDTHS,
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "cross_attention_dim": 32,
        "conditioning_embedding_out_channels": (16, 32),
        "norm_num_groups": 4,
        "attention_head_dim": 2,
    }
    return awake(diffusers.ControlNetModel(**{**settings, **other}))


def controlnet_xl() -> Any:
    return controlnet(
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=8 * 6 + 32,
        cross_attention_dim=64,
    )


def awake(network: Any) -> Any:
    """They start at zero, and change nothing then."""
    for layer in (*network.controlnet_down_blocks, network.controlnet_mid_block):
        awakened(layer, 1.0)
    return network


def t2i_adapter(channels: int = 3) -> Any:
    adapter = diffusers.T2IAdapter(
        in_channels=channels,
        channels=list(WIDTHS),
        num_res_blocks=1,
        downscale_factor=2,
        adapter_type="full_adapter",
    )
    return awakened(adapter, 0.3)


def controlnet_flux() -> Any:
    """It is told the guidance no more than the released ones are."""
    network = diffusers.FluxControlNetModel(
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
    )
    for layer in (*network.controlnet_blocks, *network.controlnet_single_blocks):
        awakened(layer, 0.5)
    awakened(network.controlnet_x_embedder, 0.5)
    return network


def controlnet_sd3() -> Any:
    network = diffusers.SD3ControlNetModel(
        sample_size=32,
        patch_size=1,
        in_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=32,
        caption_projection_dim=32,
        pooled_projection_dim=32,
        out_channels=4,
    )
    for layer in network.controlnet_blocks:
        awakened(layer, 0.5)
    awakened(network.pos_embed_input, 0.5)
    return network


NETWORKS: Mapping[str, tuple[str, Callable[[], Any]]] = {
    "canny-net": ("controlnet", controlnet),
    "depth-net": ("controlnet", controlnet),
    "canny-xl": ("controlnet", controlnet_xl),
    "canny-flux": ("controlnet", controlnet_flux),
    "depth-flux": ("controlnet", controlnet_flux),
    "canny-sd3": ("controlnet", controlnet_sd3),
    "depth-sd3": ("controlnet", controlnet_sd3),
    "sketch": ("adapter", lambda: t2i_adapter(1)),
    "colours": ("adapter", t2i_adapter),
    "tints": ("adapter", t2i_adapter),
}


def save(name: str, folder: Path) -> Path:
    """The network as a model folder."""
    slot, build = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(sorted(NETWORKS).index(name))
        module = build().eval()
    module.save_pretrained(folder / slot)
    index = {"_class_name": type(module).__name__, slot: ["diffusers", type(module).__name__]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def add(models: Checkpoints, name: str) -> Model:
    """The network in the registry of the models' workbench."""
    if name not in models.beside:
        models.beside[name] = models.bench.add(save(name, models.folder / name), name)
    return models.beside[name]
