"""What a job ran on: all beside its recipe that may change the last bits of what it makes."""

from __future__ import annotations

from typing import Any

from omnifex.device import device_kind
from omnifex.engine.engine import Engine
from omnifex.versions import libraries
from omnifex_registry import Model


def environment(engine: Engine, model: Model) -> dict[str, Any]:
    """The kind of device, what each component computes in, the libraries; no machine, no time."""
    parts = {
        role: engine.residency.dtype_of(part)
        for role, part in model.components.items()
        if part.parameters
    }
    return {
        "device": device_kind(engine.device),
        "dtype": {role: str(dtype).removeprefix("torch.") for role, dtype in parts.items()},
        "libraries": libraries(),
    }
