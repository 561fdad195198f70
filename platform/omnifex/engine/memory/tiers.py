"""Where weights can be: on the device, in host memory, or on disk alone; and how they move."""

from __future__ import annotations

import gc
import weakref
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from omnifex.engine.acceleration.settings import release
from omnifex_registry import Component, dtype_of
from omnifex_registry.headers import bits_of
from omnifex_registry.loading import has_address
from omnifex_registry.quantisation import BYTES

CPU = torch.device("cpu")
SHARE_OF_RAM = 0.5  # of a machine whose CPU is the device: jobs, files and the page cache need some
HOST_SHARE_OF_RAM = 0.25  # for what waits in host memory to go back to an accelerator
RESERVE = 0.05  # of an accelerator, for what torch's allocator does not count
LEAST_RESERVE = 500_000_000
HOST_BYTES_PER_S = 1e10  # from host memory to an accelerator, about
CGROUP = Path("/sys/fs/cgroup/memory.max")


class Tier(StrEnum):
    """Where a component in memory is; one that is in no tier is on disk."""

    DEVICE = "device"
    HOST = "host"
    OFFLOADED = "offloaded"  # in host memory, and on the device a layer at a time


def device_budget(device: torch.device) -> int:
    """Bytes for weights and activations, where nobody gave a number."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return int(free - max(LEAST_RESERVE, RESERVE * total))
    return int(SHARE_OF_RAM * ram())


def host_budget(device: torch.device) -> int:
    """Bytes for what was evicted from the device: none where the device is host memory itself."""
    return int(HOST_SHARE_OF_RAM * ram()) if device.type == "cuda" else 0


def ram() -> int:
    """The memory of this machine, or of the container that we are in."""
    total: int = psutil.virtual_memory().total
    limit = CGROUP.read_text().strip() if CGROUP.is_file() else "max"
    return min(total, int(limit)) if limit.isdigit() else total


def expected_bytes(component: Component, device: torch.device, dtype: torch.dtype | None) -> int:
    """What the component will take once loaded, by its headers: floats change their type."""
    way = component.settings.get("quantize")
    loaded_as = BYTES[way] * 8 if way else dtype_of(component, device, dtype).itemsize * 8
    return sum(
        int(parameters * (loaded_as if stored.startswith(("F", "BF")) else bits_of(stored)) / 8)
        for stored, parameters in component.dtypes.items()
    )


def tensors(module: Any) -> list[Tensor]:
    """Parameters and buffers; none of what is no module."""
    if not isinstance(module, nn.Module):
        return []
    return list(chain(module.parameters(), module.buffers()))


def held_bytes(module: Any) -> int:
    """What its tensors take, shared ones once."""
    found = [part.untyped_storage() for tensor in tensors(module) for part in plain(tensor)]
    return sum({storage.data_ptr(): storage.nbytes() for storage in found}.values())


def plain(tensor: Tensor) -> list[Tensor]:
    """The tensors that hold its numbers: several where it is quantised by torchao."""
    if not hasattr(tensor, "__tensor_flatten__"):
        return [tensor]
    names, _ = tensor.__tensor_flatten__()
    return [part for name in names for part in plain(getattr(tensor, name))]


def weights(module: Any) -> list[Tensor]:
    """Its parameters; buffers are a module's own to change."""
    return list(module.parameters()) if isinstance(module, nn.Module) else []


def stamp(weights: list[Tensor]) -> int:
    """Differs once one of them was written to."""
    return sum([weight._version for weight in weights])


def to_device(module: Any, device: torch.device) -> None:
    """From host memory back; done when it returns."""
    if isinstance(module, nn.Module):
        module.to(device, non_blocking=True)
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def to_host(module: Any, device: torch.device) -> None:
    """From the device to host memory, pinned where that makes the way back fast."""
    if not isinstance(module, nn.Module):
        return
    release(module)
    module.to(CPU)
    if device.type == "cuda":
        for tensor in filter(has_address, tensors(module)):
            tensor.data = tensor.data.pin_memory()


def offload(module: nn.Module, device: torch.device) -> int:
    """Keep the module in host memory and take each layer to the device for its own time only.

    Returns the bytes that it takes there. diffusers prefetches the next layer on a stream of its
    own, so that two are there at once.
    """
    from diffusers.hooks import apply_group_offloading

    release(module)
    streams = device.type == "cuda"
    apply_group_offloading(
        module,
        onload_device=device,
        offload_device=CPU,
        offload_type="leaf_level",
        use_stream=streams,
    )
    largest = max((own_bytes(layer) for layer in module.modules()), default=0)
    return largest * (2 if streams else 1)


def own_bytes(layer: nn.Module) -> int:
    own = chain(layer.parameters(recurse=False), layer.buffers(recurse=False))
    return sum(tensor.nbytes for tensor in own)


def forget(holder: Any) -> None:
    """Free `holder.module` now: libraries tie modules into cycles that only a collection cuts."""
    module, holder.module = holder.module, None
    holder.weights = []
    if isinstance(module, nn.Module):
        alive = weakref.ref(module)
        del module
        if alive() is not None:
            gc.collect()


def free_caches(device: torch.device) -> None:
    """Give what torch keeps for later back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
