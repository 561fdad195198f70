"""Tiny models in the forms that people trade: one file with the first names, GGUF."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file
from torch import Tensor

# Of a UNet of two levels with one layer each, as tiny_parts builds it: diffusers' name, CompVis'.
UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "down_blocks.0.resnets.0": "input_blocks.1.0",
    "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
    "down_blocks.1.resnets.0": "input_blocks.3.0",
    "down_blocks.1.attentions.0": "input_blocks.3.1",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "up_blocks.0.resnets.0": "output_blocks.0.0",
    "up_blocks.0.attentions.0": "output_blocks.0.1",
    "up_blocks.0.resnets.1": "output_blocks.1.0",
    "up_blocks.0.attentions.1": "output_blocks.1.1",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.1.2.conv",
    "up_blocks.1.resnets.0": "output_blocks.2.0",
    "up_blocks.1.resnets.1": "output_blocks.3.0",
}
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}


def ldm_state(folder: Path) -> dict[str, Tensor]:
    """Stable Diffusion as CompVis named its tensors, from a tiny one of diffusers."""
    parts = {role: weights_of(folder / role) for role in ("unet", "vae", "text_encoder")}
    text = {
        name.removeprefix("text_model."): value for name, value in parts["text_encoder"].items()
    }
    return {
        **{f"model.diffusion_model.{unet_name(name)}": t for name, t in parts["unet"].items()},
        **{
            f"first_stage_model.{vae_name(name)}": shaped(name, t)
            for name, t in parts["vae"].items()
        },
        **{f"cond_stage_model.transformer.text_model.{name}": t for name, t in text.items()},
    }


def weights_of(folder: Path) -> dict[str, Tensor]:
    (file,) = folder.glob("*.safetensors")
    found: dict[str, Tensor] = load_file(file)
    return found


def unet_name(name: str) -> str:
    for ours, theirs in sorted(UNET.items(), key=lambda pair: -len(pair[0])):
        if name.startswith(f"{ours}."):
            rest = name[len(ours) + 1 :]
            if ".resnets." in ours:
                rest = renamed(rest, RESNET)
            return f"{theirs}.{rest}"
    raise KeyError(name)


def vae_name(name: str) -> str:
    if name.startswith(("quant_conv", "post_quant_conv")):
        return name
    half, rest = name.split(".", 1)
    rest = rest.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    rest = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", rest)
    if rest.startswith("mid_block.attentions.0."):
        return (
            f"{half}.mid.attn_1.{renamed(rest.removeprefix('mid_block.attentions.0.'), ATTENTION)}"
        )
    rest = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", rest)
    rest = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", rest)
    rest = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{1 - int(m[1])}.block", rest)
    rest = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{1 - int(m[1])}.upsample", rest)
    return f"{half}.{rest}"


def shaped(name: str, tensor: Tensor) -> Tensor:
    """CompVis' attention of autoencoders is made of convolutions."""
    linear = ".attentions." in name and ".to_" in name and tensor.ndim == 2
    return tensor[:, :, None, None].contiguous() if linear else tensor


def renamed(rest: str, names: Mapping[str, str]) -> str:
    for ours, theirs in names.items():
        if rest.startswith(f"{ours}."):
            return theirs + rest[len(ours) :]
    return rest


def write_gguf(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    """The matrices in 8 bits, in blocks of 32 with a scale each."""
    import gguf

    eight: Any = gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(str(path), "flux")
    for name, tensor in tensors.items():
        array = tensor.float().numpy()
        if array.ndim == 2 and array.shape[-1] % 32 == 0:
            writer.add_tensor(name, gguf.quantize(array, eight), raw_dtype=eight)
        else:
            writer.add_tensor(name, array.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
