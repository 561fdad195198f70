"""Adapters in one file, told apart by the names and shapes of their tensors and their metadata.

Kohya's LoRAs call their modules lora_unet_…, diffusers' and PEFT's by their path; both say nothing
of the base model, but where its text is attended to, the width of the text gives it away.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnifex_registry.headers import TensorInfo, read_metadata
from omnifex_registry.layout import INDEX

LIBRARY = "omnifex_registry.adapters"
DOWN = re.compile(r"(\.lora_down|\.lora_A|[._]lora\.down|\.lora_linear_layer\.down)(\.|$)")
# What trainers write into the metadata, by a word of it.
SAID = {
    "stable-diffusion-xl": "sdxl",
    "sdxl": "sdxl",
    "stable-diffusion-3": "sd3",
    "sd3": "sd3",
    "flux": "flux",
    "wan": "wan",
    "stable-diffusion-v2": "sd2",
    "sd_v2": "sd2",
    "stable-diffusion-v1": "sd15",
    "sd_v1": "sd15",
}
TEXT_WIDTHS = {768: "sd15", 1024: "sd2", 2048: "sdxl", 1280: "sdxl"}
# Parts of module names that only one family has.
MODULES = {
    "double_blocks": "flux",
    "single_transformer_blocks": "flux",
    "joint_blocks": "sd3",
    "context_block": "sd3",
    "cross_attn": "wan",
}


def adapter_of(path: Path, tensors: Mapping[str, TensorInfo]) -> dict[str, Any] | None:
    """What kind of adapter the file is: class, base family, rank; None where it is none."""
    downs = {name: info for name, info in tensors.items() if DOWN.search(name)}
    said = base_said(read_metadata(path))
    if downs:
        ranks = [min(info.shape[:2]) for info in downs.values() if len(info.shape) > 1]
        rank = max(ranks, default=0)
        found = {"_class_name": "LoRA", "base": said or base_of(downs), "rank": rank}
        return {name: value for name, value in found.items() if value}
    if any(name.startswith("ip_adapter.") for name in tensors):
        return {"_class_name": "IPAdapter", **({"base": said} if said else base_by_keys(tensors))}
    if is_embedding(tensors):
        widths = [info.shape[-1] for info in tensors.values()]
        base = "sdxl" if len(widths) > 1 else TEXT_WIDTHS.get(widths[0])
        return {"_class_name": "TextualInversion", **({"base": base} if base else {})}
    return None


def write_adapter(path: Path, adapter: Mapping[str, Any], place: Path) -> None:
    """The file as a model of one component, in the slot that is called like its class."""
    role = {"LoRA": "lora", "IPAdapter": "ip_adapter"}.get(adapter["_class_name"], "embedding")
    (place / role).mkdir()
    shutil.copyfile(path, place / role / "adapter.safetensors")
    (place / role / "config.json").write_text(json.dumps(adapter), encoding="utf-8")
    index = {**adapter, role: [LIBRARY, adapter["_class_name"]]}
    (place / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")


def base_said(metadata: Mapping[str, str]) -> str | None:
    said = " ".join(
        metadata.get(key, "").lower()
        for key in ("modelspec.architecture", "ss_base_model_version", "base_model")
    )
    return next((family for word, family in SAID.items() if word in said), None)


def base_of(downs: Mapping[str, TensorInfo]) -> str | None:
    """By a part that only one family has, else by the width of the text that is attended to."""
    for word, family in MODULES.items():
        if any(word in name for name in downs):
            return family
    widths = {info.shape[-1] for name, info in downs.items() if re.search(r"attn2[._]to_k", name)}
    return TEXT_WIDTHS.get(max(widths, default=0))


def base_by_keys(tensors: Mapping[str, TensorInfo]) -> dict[str, str]:
    widths = {info.shape[-1] for name, info in tensors.items() if name.endswith("to_k_ip.weight")}
    base = TEXT_WIDTHS.get(max(widths, default=0))
    return {"base": base} if base else {}


def is_embedding(tensors: Mapping[str, TensorInfo]) -> bool:
    """A few rows of a text encoder's table, for a word of one's own."""
    named = set(tensors) <= {"emb_params", "clip_l", "clip_g"} or (
        len(tensors) == 1 and "." not in next(iter(tensors))  # the word, as in a prompt
    )
    return named and all(len(info.shape) <= 2 for info in tensors.values())
