"""IP-Adapters of a UNet: attention to pictures beside that to words, put in and taken out again.

They are made by diffusers' own loader, of the parts that it is made of: those of its methods that
have no name for others. The sets that jobs asked for stay with the module, and move with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from omnifex.engine.adapters.adapter import Adapter, BadAdapter
from omnifex.engine.adapters.low_rank import keep_offloading
from omnifex.engine.memory.shortage import ran_out
from omnifex_registry import Component

MOST = 4  # sets that stay with a component that is in memory; the least recently used go
HELD = "omnifex_image_prompts"
PROJECTION = "ip_image_proj"  # what the config of a UNet calls it


class PromptSet(nn.Module):
    """The parts of one or several IP-Adapters that are used together."""

    def __init__(self, processors: dict[str, nn.Module], projection: nn.Module) -> None:
        super().__init__()
        self.names = list(processors)  # as the UNet calls the attention that each is for
        self.processors = nn.ModuleList(processors.values())
        self.projection = projection


class ImagePrompts:
    """What one UNet has of them."""

    def __init__(self) -> None:
        self.active: tuple[Adapter, ...] = ()
        self._sets: dict[tuple[str, ...], str] = {}  # names of modules by ids, least used first
        self._plain: tuple[dict[str, Any], Any, Any] | None = None  # as the UNet was before
        self._made = 0

    def switch(self, module: Any, component: Component, adapters: tuple[Adapter, ...]) -> bool:
        """Whether one had to be loaded."""
        if adapters == self.active:
            return False
        self.off(module)
        if not adapters:
            return False
        ids = tuple(adapter.id for adapter in adapters)
        missing = ids not in self._sets
        if missing:
            self._add(module, component, adapters, ids)
        self._sets[ids] = name = self._sets.pop(ids)
        self._put_in(module, getattr(module, HELD)[name], [one.weight for one in adapters])
        self.active = adapters
        self._drop_surplus(module)
        return missing

    def off(self, module: Any) -> None:
        """As it was before."""
        if self.active and self._plain is not None:
            processors, projection, kind = self._plain
            put(module, processors, projection, kind)
        self.active = ()

    def _add(
        self, module: Any, component: Component, adapters: tuple[Adapter, ...], ids: tuple[str, ...]
    ) -> None:
        held = module._modules.pop(HELD, None) or nn.ModuleDict()  # some hold attention themselves
        try:
            made = loaded(module, component, adapters)
            if self._plain is None:
                own = {name: module.attn_processors[name] for name in made.names}
                self._plain = own, module.encoder_hid_proj, module.config.encoder_hid_dim_type
        finally:
            module.add_module(HELD, held)
        self._made += 1
        name = self._sets[ids] = f"set_{self._made}"
        held[name] = made
        keep_offloading(module)

    def _put_in(self, module: Any, own: PromptSet, scales: list[float]) -> None:
        attention: dict[str, Any] = dict(zip(own.names, own.processors, strict=True))
        for processor in attention.values():
            processor.scale = list(scales)
        put(module, attention, own.projection, PROJECTION)

    def _drop_surplus(self, module: Any) -> None:
        for ids in list(self._sets)[: max(0, len(self._sets) - MOST)]:
            del getattr(module, HELD)[self._sets.pop(ids)]


def put(module: Any, processors: Mapping[str, Any], projection: Any, kind: Any) -> None:
    """Give a UNet this attention, and this to make words of embeddings."""
    for name, processor in processors.items():
        module.get_submodule(name.removesuffix(".processor")).set_processor(processor)
    module.encoder_hid_proj = projection
    module.config.encoder_hid_dim_type = kind


def loaded(module: Any, component: Component, adapters: Sequence[Adapter]) -> PromptSet:
    """The parts of all files as modules, where the UNet is; BadAdapter where they do not fit."""
    try:
        with torch.inference_mode(False):
            states = [read(adapter.path) for adapter in adapters]
            made = converted(module, states)
            return made.to(module.device, module.dtype).requires_grad_(False)
    except Exception as error:  # whatever the libraries raise on a file that is not for this
        if ran_out(error):
            raise
        names = ", ".join(adapter.path.name for adapter in adapters)
        why = " ".join(str(error).split())[:300] or type(error).__name__
        raise BadAdapter(
            f"adapter {names} does not fit {component.role} ({component.class_name}): {why}"
        ) from error


def converted(module: Any, states: Sequence[Mapping[str, Any]]) -> PromptSet:
    """As diffusers' `load_ip_adapter` makes them, without putting them into the UNet."""
    from diffusers.models.embeddings import MultiIPAdapterImageProjection

    processors = module._convert_ip_adapter_attn_to_diffusers(states)
    own = {name: one for name, one in processors.items() if hasattr(one, "to_k_ip")}
    project = module._convert_ip_adapter_image_proj_to_diffusers
    projections = [project(state["image_proj"]) for state in states]
    return PromptSet(own, MultiIPAdapterImageProjection(projections)).eval()


def read(path: Path) -> dict[str, dict[str, Tensor]]:
    """The tensors of the file, of its two parts."""
    state: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118  # it is no mapping
            part, _, rest = name.partition(".")
            state.setdefault(part, {})[rest] = file.get_tensor(name)
    return state
