"""The memory of tensors as bytes, and back; whatever their dtype, which numpy need not know.

It is done several times for every call of a durable job, just after a call has emptied the caches
of the processor: safetensors, whose files these could be, takes five times as long here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def raw_bytes(tensor: Tensor) -> Tensor:
    """Its elements in order, as bytes, where they lie; a copy only where they are not in order."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    if not tensor.is_contiguous():
        tensor = tensor.contiguous()
    if not tensor.ndim or tensor.stride(-1) != 1:
        tensor = tensor.as_strided((tensor.numel(),), (1,))
    return tensor.view(torch.uint8)


def buffer(raw: Tensor) -> memoryview:
    """The bytes, brought to the host."""
    held: memoryview = raw.cpu().numpy().data
    return held


def of_bytes(data: bytes, dtype: torch.dtype, shape: Sequence[int]) -> Tensor:
    """A contiguous tensor of these bytes; ValueError where they are too few or too many."""
    count = torch.Size(shape).numel()
    if len(data) != count * dtype.itemsize:
        raise ValueError(f"{len(data)} bytes are no {dtype} of shape {list(shape)}")
    if not count:
        return torch.empty(tuple(shape), dtype=dtype)
    return torch.frombuffer(bytearray(data), dtype=dtype).view(tuple(shape))
