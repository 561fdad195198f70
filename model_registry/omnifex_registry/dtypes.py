"""In which floating type a component computes."""

from dataclasses import replace

import torch

from omnifex_registry.records import Component

_STORED_FLOATS = {"F16": torch.float16, "BF16": torch.bfloat16}


def dtype_of(
    component: Component, device: torch.device, asked: torch.dtype | None = None
) -> torch.dtype:
    """What the component itself demands, else what is asked of all, else the device's usual one."""
    if component.computes_in:
        demanded: torch.dtype = getattr(torch, component.computes_in)
        return demanded
    return asked or default_dtype(component, device)


def default_dtype(component: Component, device: torch.device) -> torch.dtype:
    """float32 on a CPU, where half precision is slow; elsewhere what most of it is stored in."""
    stored = max(component.dtypes, key=lambda name: component.dtypes[name], default="F32")
    return torch.float32 if device.type == "cpu" else _STORED_FLOATS.get(stored, torch.float32)


def in_dtype(component: Component, dtype: torch.dtype | None) -> Component:
    """The component as another one, of the same files, that computes in `dtype` on any device.

    An autoencoder that overflows in float16 is run in float32, and both may be in memory at once.
    None gives back the component as it was registered.
    """
    registered = component.id.partition("@")[0]
    name = str(dtype).removeprefix("torch.") if dtype else None
    return replace(component, id="@".join(filter(None, (registered, name))), computes_in=name)
