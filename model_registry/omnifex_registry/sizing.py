"""What a model's components take in memory, from their configs alone: nothing is loaded.

Each module is built on torch's meta device, where tensors have shapes and no memory. A folder of
configs is enough; `shapes/` has those of some large models, for planning before a download.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from omnifex_registry.config import read_config
from omnifex_registry.errors import BadModelFolder, RegistryError
from omnifex_registry.fitting import quiet
from omnifex_registry.kinds import Kind
from omnifex_registry.layout import Slot, read_layout
from omnifex_registry.libraries import check_library
from omnifex_registry.quantisation import BYTES
from omnifex_registry.records import Component
from omnifex_registry.sanity import check_config, refuse_code
from omnifex_registry.skeleton import load_skeleton

SHAPES = Path(__file__).parent / "shapes"
QUANTISED: Mapping[str, float] = {way: BYTES[way] for way in ("int8", "int4")}


@dataclass(frozen=True, slots=True)
class Size:
    """A component in memory, in bytes: all of it, and the layer that has most."""

    role: str
    class_name: str
    kind: Kind | None
    parameters: int
    bytes: int
    largest_layer: int
    quantised: Mapping[str, int]  # by way: its linear layers in fewer bits, the rest as it was


def shapes() -> list[str]:
    """The names of the shapes that come along."""
    return sorted(path.name for path in SHAPES.iterdir() if path.is_dir())


def sizes_of(folder: Path, dtype: torch.dtype) -> list[Size]:
    """Of each neural component of a model's folder, with or without weights, largest first."""
    found = [size_of(slot, dtype) for slot in read_layout(folder).slots if is_module(slot)]
    return sorted(found, key=lambda size: -size.bytes)


def is_module(slot: Slot) -> bool:
    return (slot.path / "config.json").is_file()


def size_of(slot: Slot, dtype: torch.dtype) -> Size:
    refuse_code(slot)
    check_library(slot.library, slot.role)
    check_config(slot.path / "config.json", read_config(slot.path / "config.json"))
    module = skeleton(slot)
    return Size(
        role=slot.role,
        class_name=slot.class_name,
        kind=component_of(slot).kind,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        bytes=bytes_of(module, dtype),
        largest_layer=max(own_bytes(layer, dtype) for layer in module.modules()),
        quantised={way: quantised_bytes(module, dtype, way) for way in QUANTISED},
    )


def skeleton(slot: Slot) -> nn.Module:
    try:
        with quiet():
            return load_skeleton(component_of(slot))
    except RegistryError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise BadModelFolder(
            f"{slot.class_name} cannot be built from {slot.path / 'config.json'}: {why}; "
            "use the config that belongs to it."
        ) from error


def component_of(slot: Slot) -> Component:
    return Component(
        id="",
        role=slot.role,
        library=slot.library,
        class_name=slot.class_name,
        path=slot.path,
        bytes=0,
        parameters=0,
        dtypes={},
        weightless=False,
    )


def bytes_of(module: nn.Module, dtype: torch.dtype) -> int:
    """Of its parameters and buffers, shared ones once, floats as `dtype` where the class lets."""
    kept = kept_wide(module, dtype)
    return sum(
        tensor.numel() * itemsize(name, tensor, dtype, kept)
        for name, tensor in distinct_tensors(module)
    )


def quantised_bytes(module: nn.Module, dtype: torch.dtype, way: str) -> int:
    linear = sum(part.weight.numel() for part in module.modules() if isinstance(part, nn.Linear))
    return int(bytes_of(module, dtype) - linear * (dtype.itemsize - QUANTISED[way]))


def itemsize(name: str, tensor: Tensor, dtype: torch.dtype, kept: tuple[str, ...]) -> int:
    if not tensor.is_floating_point():
        return tensor.dtype.itemsize
    wide = any(part in name.split(".") for part in kept)
    return max(dtype.itemsize, torch.float32.itemsize) if wide else dtype.itemsize


def kept_wide(module: nn.Module, dtype: torch.dtype) -> tuple[str, ...]:
    """The parts that their library loads in float32: of transformers' most in float16 only."""
    parts: Any = getattr(module, "_keep_in_fp32_modules", None) or ()
    strict: Any = getattr(module, "_keep_in_fp32_modules_strict", None)
    if strict is None:
        return tuple(parts)
    return (*strict, *(parts if dtype is torch.float16 else ()))


def distinct_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return chain(module.named_parameters(), module.named_buffers())


def own_bytes(layer: nn.Module, dtype: torch.dtype) -> int:
    own = chain(layer.parameters(recurse=False), layer.buffers(recurse=False))
    return sum(tensor.numel() * itemsize("", tensor, dtype, ()) for tensor in own)


def as_object(size: Size) -> dict[str, Any]:
    return {
        "role": size.role,
        "class_name": size.class_name,
        "parameters": size.parameters,
        "bytes": size.bytes,
        "largest_layer_bytes": size.largest_layer,
        **{f"{way}_bytes": count for way, count in size.quantised.items()},
    }
