"""Adapters: low-rank changes (LoRA) of a component, which one job wants and another does not.

The component is in memory once for both. peft wraps the layers that an adapter changes, and before
a call its adapters are switched on and all others off. A wrapped layer with nothing switched on
does what the plain one does, to the bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from omnifex.engine.acceleration.graphs import Graphs
from omnifex.engine.memory.shortage import ran_out
from omnifex.errors import OmnifexError
from omnifex_registry import Component

FITTED = "_omnifex_fitted"
MOST = 16  # adapters that stay with a component that is in memory; the least recently used go


class BadAdapter(OmnifexError):
    """An adapter that its component cannot take."""

    code = "bad_adapter"


@dataclass(frozen=True, slots=True)
class Adapter:
    """One component's adapter, in one safetensors file.

    Its weights are named as diffusers or peft name them, or as the LoRA loader of a pipeline of
    diffusers can read them.
    """

    id: str  # of its content; no other has it
    path: Path
    weight: float = 1.0
    pipeline: str | None = None  # the class of that pipeline


def ordered(adapters: Iterable[Adapter]) -> tuple[Adapter, ...]:
    """In the order of their ids: equal sets give equal bits, and what weighs nothing is left out.

    An adapter that is named twice counts as often.
    """
    weights: dict[str, Adapter] = {}
    for one in adapters:
        before = weights[one.id].weight if one.id in weights else 0.0
        weights[one.id] = replace(one, weight=before + one.weight)
    return tuple(weights[name] for name in sorted(weights) if weights[name].weight)


@dataclass
class Fitted:
    """What a module has of adapters, and which of them are switched on."""

    names: dict[str, str] = field(default_factory=dict)  # by id, the least recently used first
    active: tuple[Adapter, ...] = ()
    made: int = 0


def fit(module: Any, component: Component, adapters: tuple[Adapter, ...]) -> bool:
    """Switch on these adapters of the module and no others; whether one had to be loaded."""
    fitted: Fitted | None = getattr(module, "__dict__", {}).get(FITTED)
    if fitted is None:
        if not adapters:
            return False
        fitted = module.__dict__[FITTED] = Fitted()
    if fitted.active == adapters:
        return False
    missing = [adapter for adapter in adapters if adapter.id not in fitted.names]
    try:
        for adapter in missing:
            load(module, component, fitted, adapter)
    except BaseException:
        switch(module, fitted, fitted.active)  # what was loaded until then is switched on by peft
        raise
    switch(module, fitted, adapters)
    drop_surplus(module, fitted)
    return bool(missing)


def load(module: Any, component: Component, fitted: Fitted, adapter: Adapter) -> None:
    """Bring in what the file has for this component; BadAdapter where that is nothing or amiss."""
    if not hasattr(module, "load_lora_adapter"):
        raise BadAdapter(f"{component.role} is a {component.class_name}, which takes no adapters.")
    fitted.made += 1
    name = f"adapter_{fitted.made}"
    try:
        with torch.inference_mode(False), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # that is the idea
            module.load_lora_adapter(**read(adapter, module, component.role), adapter_name=name)
            keep_offloading(module)
    except Exception as error:  # whatever the libraries raise on a file that is not for this
        if ran_out(error):
            raise
        why = " ".join(str(error).split())[:300]
        raise BadAdapter(
            f"adapter {adapter.path.name} does not fit {component.role} "
            f"({component.class_name}): {why}"
        ) from error
    if name not in getattr(module, "peft_config", {}):
        raise BadAdapter(f"adapter {adapter.path.name} has nothing for {component.role}.")
    fitted.names[adapter.id] = name


def read(adapter: Adapter, module: Any, role: str) -> dict[str, Any]:
    """What `load_lora_adapter` takes: the file, or its weights renamed by the pipeline's loader."""
    import diffusers
    from safetensors import safe_open

    told = {
        "pretrained_model_name_or_path_or_dict": adapter.path.parent,
        "weight_name": adapter.path.name,
        "use_safetensors": True,
        "local_files_only": True,
    }
    if adapter.pipeline is None:
        with safe_open(adapter.path, framework="pt") as file:
            return {**told, "prefix": prefix_in(file.keys(), role)}
    state, *alphas, metadata = getattr(diffusers, adapter.pipeline).lora_state_dict(
        **told,
        return_alphas=True,  # from a loader that has any
        return_lora_metadata=True,
        **({"unet_config": module.config} if role == "unet" else {}),
    )
    return {
        "pretrained_model_name_or_path_or_dict": state,
        "prefix": prefix_in(state, role),
        "network_alphas": next(iter(alphas), None) or None,
        "metadata": metadata,
    }


def prefix_in(names: Iterable[str], role: str) -> str | None:
    """What the names of this component's weights begin with, where the file is for several."""
    found = {name.partition(".")[0] for name in names}
    if found == {"base_model"}:
        return "base_model.model"  # as peft saves a model of its own
    return next((one for one in found if f"_{role}".endswith(f"_{one}")), None)


def keep_offloading(module: nn.Module) -> None:
    """A module that goes to the device by layers has other layers now."""
    from diffusers.hooks.group_offloading import _maybe_remove_and_reapply_group_offloading

    _maybe_remove_and_reapply_group_offloading(module)


def switch(module: nn.Module, fitted: Fitted, adapters: tuple[Adapter, ...]) -> None:
    names = [fitted.names[adapter.id] for adapter in adapters]
    for layer in wrapped_layers(module):
        layer.set_adapter(names, inference_mode=True)
        layer._disable_adapters = not names  # its own way there turns gradients on
        for name, adapter in zip(names, adapters, strict=True):
            layer.set_scale(name, adapter.weight)
    for adapter in adapters:
        fitted.names[adapter.id] = fitted.names.pop(adapter.id)
    fitted.active = adapters
    if isinstance(module.forward, Graphs):
        module.forward.paused = bool(adapters)


def drop_surplus(module: Any, fitted: Fitted) -> None:
    active = {adapter.id for adapter in fitted.active}
    idle = [one for one in fitted.names if one not in active]
    for one in idle[: max(0, len(fitted.names) - MOST)]:
        module.delete_adapters(fitted.names.pop(one))


def wrapped_layers(module: nn.Module) -> Sequence[Any]:
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [layer for layer in module.modules() if isinstance(layer, BaseTunerLayer)]
