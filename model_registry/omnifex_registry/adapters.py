"""Adapters that are one file: what a pipeline's own loaders (load_lora_weights, …) take."""

from __future__ import annotations

from pathlib import Path

from omnifex_registry.config import read_config
from omnifex_registry.headers import read_header
from omnifex_registry.kinds import Kind
from omnifex_registry.records import Component, Model
from omnifex_registry.sources.adapters import DOWN
from omnifex_registry.weights import read_weights


def adapter_file(model: Model) -> Path:
    """The weight file of a LoRA, an IP-Adapter or a textual inversion."""
    (component,) = (part for part in model.components.values() if part.kind is Kind.ADAPTER)
    return _file(component)


def embeddings_of(model: Model) -> dict[str, tuple[int, ...]]:
    """The tensors of a textual inversion, each with its shape: rows for a table of tokens."""
    return {name: info.shape for name, info in read_header(adapter_file(model)).items()}


def lora_layers(model: Model) -> dict[str, int]:
    """The layers that a LoRA changes, as its file names them, and how wide the input of each is."""
    tensors = read_header(adapter_file(model))
    found = {name: DOWN.search(name) for name in tensors}
    return {
        name[: mark.start()]: tensors[name].shape[1]
        for name, mark in found.items()
        if mark and len(tensors[name].shape) > 1
    }


def layers_of(component: Component) -> dict[str, int]:
    """The same of all layers of a component; empty where its files do not have them so."""
    weights = read_weights(component.path, component.library, component.variant)
    config = component.path / "config.json"
    packed = config.is_file() and "quantization_config" in read_config(config)
    if weights is None or weights.quantised or packed:
        return {}
    return {
        name.removesuffix(".weight"): info.shape[1]
        for shard in weights.shards.values()
        for name, info in shard.items()
        if name.endswith(".weight") and len(info.shape) > 1
    }


def _file(component: Component) -> Path:
    return component.path / "adapter.safetensors"
