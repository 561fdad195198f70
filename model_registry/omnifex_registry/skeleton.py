"""A component without its weights: the module's structure on the meta device."""

from typing import Any

import torch
from torch import nn

from omnifex_registry.config import read_config
from omnifex_registry.libraries import find_class
from omnifex_registry.records import Component


def load_skeleton(component: Component, *, dtype: torch.dtype | None = None) -> nn.Module:
    """The module as its config describes it, in eval mode; its tensors have shapes and no values.

    Costs no memory and reads no weights, whatever the component's size. Floating tensors are said
    to be of `dtype`; by default of the type that the class gives them.
    """
    found: Any = find_class(component.library, component.class_name, component.role)
    config = _config(found, component)
    # Structure is no part of a job's computation, and outlives the job that first needs it.
    with torch.inference_mode(False), torch.device("meta"):
        module: nn.Module = found(config) if _is_transformer(found) else found.from_config(config)
    # Not the class's own `to`, which warns of parts that are loaded in float32 whatever is asked.
    return nn.Module.to(module, dtype=dtype).eval().requires_grad_(False)


def _config(found: Any, component: Component) -> Any:
    """The config in the form that the class is built from."""
    if _is_transformer(found):
        return found.config_class.from_pretrained(component.path, local_files_only=True)
    return read_config(component.path / "config.json")


def _is_transformer(found: Any) -> bool:
    """Whether the class is built from a config object of its own, as those of transformers are."""
    return getattr(found, "config_class", None) is not None
