"""Adapters that are one file: what a pipeline's own loaders (load_lora_weights, …) take."""

from __future__ import annotations

from pathlib import Path

from omnifex_registry.records import Component, Model


def adapter_file(model: Model) -> Path:
    """The weight file of a LoRA, an IP-Adapter or a textual inversion."""
    (component,) = model.components.values()
    return _file(component)


def _file(component: Component) -> Path:
    return component.path / "adapter.safetensors"
