"""Linear layers in fewer bits, as diffusers quantises them while it loads."""

from __future__ import annotations

from typing import Any

import torch

TORCHAO = {
    "int8": "Int8WeightOnlyConfig",
    "fp8": "Float8WeightOnlyConfig",
    "int4": "Int4WeightOnlyConfig",
}
# Bytes of a weight in a linear layer, with the scales of its groups.
BYTES = {"int8": 1 + 4 / 1024, "fp8": 1 + 4 / 1024, "int4": 0.5 + 4 / 128, "nf4": 0.5 + 4 / 64}


def quantization(way: str, dtype: torch.dtype) -> Any:
    """diffusers' config for a way of BYTES; ImportError where its package is not installed."""
    import diffusers

    if way == "nf4":
        return diffusers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
    from torchao import quantization as ways

    return diffusers.TorchAoConfig(getattr(ways, TORCHAO[way])())
