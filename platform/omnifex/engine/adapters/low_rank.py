"""Low-rank changes (LoRA, Hu et al. 2021): peft wraps the layers that they change."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from omnifex.engine.adapters.adapter import Adapter, BadAdapter
from omnifex.engine.memory.shortage import ran_out
from omnifex_registry import Component

MOST = 16  # that stay with a component that is in memory; the least recently used go


class LowRank:
    """The LoRAs of one module."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}  # by id, the least recently used first
        self.active: tuple[Adapter, ...] = ()
        self.made = 0

    def switch(self, module: Any, component: Component, adapters: tuple[Adapter, ...]) -> bool:
        """Whether one had to be loaded."""
        if adapters == self.active:
            return False
        missing = [adapter for adapter in adapters if adapter.id not in self.names]
        for adapter in missing:
            self._load(module, component, adapter)
        self._activate(module, adapters)
        self._drop_surplus(module)
        return bool(missing)

    def off(self, module: Any) -> None:
        """Also of what was loaded until something went wrong, which peft has switched on."""
        self._activate(module, ())

    def _load(self, module: Any, component: Component, adapter: Adapter) -> None:
        """Bring in what the file has for this; BadAdapter where that is nothing or amiss."""
        self.made += 1
        self.names[adapter.id] = name = f"adapter_{self.made}"
        try:
            load(module, component, adapter, name)
        except BaseException:
            del self.names[adapter.id]
            raise

    def _activate(self, module: Any, adapters: tuple[Adapter, ...]) -> None:
        names = [self.names[adapter.id] for adapter in adapters]
        for layer in wrapped_layers(module) if self.made else ():
            layer.set_adapter(names, inference_mode=True)
            layer._disable_adapters = not names  # its own way there turns gradients on
            for name, adapter in zip(names, adapters, strict=True):
                layer.set_scale(name, adapter.weight)
        for adapter in adapters:
            self.names[adapter.id] = self.names.pop(adapter.id)
        self.active = adapters

    def _drop_surplus(self, module: Any) -> None:
        active = {adapter.id for adapter in self.active}
        idle = [one for one in self.names if one not in active]
        for one in idle[: max(0, len(self.names) - MOST)]:
            module.delete_adapters(self.names.pop(one))


def load(module: Any, component: Component, adapter: Adapter, name: str) -> None:
    if not hasattr(module, "load_lora_adapter"):
        raise BadAdapter(f"{component.role} is a {component.class_name}, which takes no adapters.")
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


def wrapped_layers(module: nn.Module) -> Sequence[Any]:
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [layer for layer in module.modules() if isinstance(layer, BaseTunerLayer)]
