"""A head in one file, told by its keys, joined to the CLIP whose embeddings it was trained on.

LAION's aesthetic predictors are such: linear layers from an embedding of a picture to one number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from omnifex_registry.config import read_config
from omnifex_registry.errors import BadModelFolder, UnknownBase
from omnifex_registry.headers import TensorInfo
from omnifex_registry.layout import INDEX
from omnifex_registry.records import Model
from omnifex_registry.registry import Registry
from omnifex_registry.sources.folder import rest_of

CLASS = "AestheticPredictor"
LIBRARY = "omnifex_registry.heads"
LAYER = re.compile(r"(?:(?:layers|mlp|linear)\.)?(?:(\d+)\.)?(weight|bias)")


def head_of(tensors: Mapping[str, TensorInfo]) -> list[str] | None:
    """The layers of a head by the beginning of their names, in order; None where it is none."""
    found = {name: LAYER.fullmatch(name) for name in tensors}
    layers = {name[: mark.start(2)]: int(mark[1] or 0) for name, mark in found.items() if mark}
    order = sorted(layers, key=lambda layer: layers[layer])
    shapes = [tensors[f"{layer}weight"].shape for layer in order if f"{layer}weight" in tensors]
    whole = len(shapes) == len(order) == len(tensors) / 2 and all(len(s) == 2 for s in shapes)
    if not whole or not shapes or shapes[-1][0] != 1:
        return None
    return order if all(one[0] == after[1] for one, after in pairwise(shapes)) else None


def take_head(
    path: Path,
    tensors: Mapping[str, TensorInfo],
    layers: Sequence[str],
    registry: Registry,
    base: str | None,
    place: Path,
) -> Model:
    """The head beside the components of a CLIP; returns that one."""
    from safetensors.torch import load_file, save_file

    clip = clip_of(path, registry, base)
    widths = [*(tensors[f"{layer}weight"].shape[1] for layer in layers), 1]
    own = read_config(clip.components["encoder"].path / "config.json").get("projection_dim")
    if own != widths[0]:
        raise BadModelFolder(
            f"The head in {path} is for embeddings of {widths[0]} numbers, and those of "
            f"{clip.name!r} have {own}; choose the CLIP that it was trained with as --base."
        )
    (place / "head").mkdir()
    (place / "head" / "config.json").write_text(json.dumps({"widths": widths}), encoding="utf-8")
    held = load_file(path)
    named = {
        f"layers.{number}.{part}": held[f"{layer}{part}"]
        for number, layer in enumerate(layers)
        for part in ("weight", "bias")
    }
    save_file(named, place / "head" / "model.safetensors")
    rest_of(clip, set(), place, registry.owned)
    parts = {role: list(clip.config[role])[:2] for role in clip.components}
    index = {"_class_name": CLASS, **parts, "head": [LIBRARY, "Head"]}
    (place / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")
    return clip


def clip_of(path: Path, registry: Registry, base: str | None) -> Model:
    """The CLIP that is named, else the only one that is registered."""
    clips = [model for model in registry.list() if model.class_name == "CLIPModel"]
    if base:
        model = registry.show(base)
        if model.class_name != "CLIPModel":
            raise BadModelFolder(
                f"The head in {path} belongs to a CLIPModel, and {base!r} is a {model.class_name}; "
                "choose another --base."
            )
        return model
    if len(clips) != 1:
        raise UnknownBase(path, "head of a CLIP", [model.name for model in clips])
    return clips[0]
