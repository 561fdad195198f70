"""Whether a module is the same after a call as before: only such may be joined or remembered."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from omnifex.engine.batching.signature import PLAIN

DEPTH = 4  # of containers and plain objects, counted from a module's own attributes


def state_of(module: Any) -> Hashable:
    """All that the module keeps on itself, cheap to compare: equal where nothing changed.

    Tensors are told by identity and version, so that no weight is read.
    """
    parts = module.modules() if isinstance(module, nn.Module) else [module]
    return tuple(trace(vars(part), DEPTH) for part in parts if hasattr(part, "__dict__"))


def states(generators: Sequence[torch.Generator]) -> list[bytes]:
    """Equal where nobody drew from them."""
    return [generator.get_state().numpy().tobytes() for generator in generators]


def trace(value: Any, depth: int) -> Hashable:
    if type(value) in PLAIN:
        return value  # type: ignore[no-any-return]
    if isinstance(value, Tensor):
        return id(value), None if value.is_inference() else value._version
    if isinstance(value, nn.Module) or depth == 0:
        return id(value)
    if isinstance(value, Mapping):
        return tuple((id(key), trace(item, depth - 1)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(trace(item, depth - 1) for item in value)
    if isinstance(value, set | frozenset):
        return id(value), len(value)
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return id(value), trace(vars(value), depth - 1)
    return id(value)
