"""From a component's files to an object in memory: from safetensors alone, without the network."""

import importlib
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from omnifex_registry.config import read_config
from omnifex_registry.dtypes import dtype_of
from omnifex_registry.errors import (
    BadModelFolder,
    LeftOnMeta,
    LoadFailed,
    WeightsChanged,
    WeightsMismatch,
)
from omnifex_registry.libraries import find_class
from omnifex_registry.quantisation import quantization
from omnifex_registry.records import Component
from omnifex_registry.weights import Weights, read_weights, refuse_pickles

ALIGNMENT = 64  # bytes; what torch's own allocator gives on a CPU
_REFUSALS = (OSError, ValueError, TypeError, KeyError, AttributeError)
# diffusers and transformers set torch's default dtype, a global, while they load weights.
_loading = threading.Lock()


def load_component(
    component: Component,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> Any:
    """The component in memory; a module is in eval mode and needs no gradients.

    Floating tensors become `dtype`: by default float32 on a CPU, elsewhere as stored. A class with
    `from_pretrained` loads itself, one with `from_config(dict)` is built without memory and given
    its tensors, whose names and shapes must be exactly its own. Equal components give equal bits,
    however their files are laid out: tensors lie at the addresses torch would choose.
    """
    found: Any = find_class(component.library, component.class_name, component.role)
    weights = _registered_weights(component)
    device = torch.device(device)
    dtype = dtype_of(component, device, dtype)
    try:
        if hasattr(found, "from_pretrained"):
            loaded = _pretrained(found, component, weights, dtype)
        else:
            loaded = _plain(found, component, weights, dtype, device)
    except _REFUSALS as error:
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        raise LoadFailed(component.path, component.class_name, why) from error
    return _ready(loaded, device) if isinstance(loaded, nn.Module) else loaded


def _registered_weights(component: Component) -> Weights | None:
    """The headers as they are now; they must tell what was registered."""
    if not component.path.is_dir():
        raise BadModelFolder(
            f"The folder {component.path} of component {component.role!r} is gone; "
            "put it back, or add the model again from its new place."
        )
    refuse_pickles(component.path)
    weights = read_weights(component.path, component.library, component.variant)
    if (weights.dtypes if weights else {}) != component.dtypes:
        raise WeightsChanged(component.path)
    return weights


def _pretrained(
    found: Any, component: Component, weights: Weights | None, dtype: torch.dtype
) -> Any:
    if weights is None:
        return found.from_pretrained(component.path, local_files_only=True)
    if weights.quantised:
        return _gguf(found, component, weights, dtype)
    way = component.settings.get("quantize")
    quantised = {"quantization_config": quantization(way, dtype)} if way else {}
    # Some classes draw random numbers in __init__, whatever becomes of them.
    with _loading, _without_bars(found), torch.random.fork_rng(devices=[]):
        module, report = found.from_pretrained(
            component.path,
            local_files_only=True,
            use_safetensors=True,
            variant=weights.variant,
            dtype=dtype,
            output_loading_info=True,
            **quantised,
            ignore_mismatched_sizes=True,  # else an error of many lines; reported below
        )
    # Tensors that the class does not want are no fault: a T5 encoder from a whole T5.
    wrong = {key: sorted(map(str, report[key])) for key in ("missing_keys", "mismatched_keys")}
    _demand_fit(component, wrong["missing_keys"], [], wrong["mismatched_keys"])
    return module


def _gguf(found: Any, component: Component, weights: Weights, dtype: torch.dtype) -> Any:
    """Stays quantised in memory; each layer is made floats of `dtype` while it is computed."""
    from diffusers import GGUFQuantizationConfig

    (file,) = weights.shards
    with _loading, _without_bars(found), torch.random.fork_rng(devices=[]):
        return found.from_single_file(
            str(file),
            config=str(component.path),
            quantization_config=GGUFQuantizationConfig(compute_dtype=dtype),
            torch_dtype=dtype,
            local_files_only=True,
        )


def _plain(
    found: Any,
    component: Component,
    weights: Weights | None,
    dtype: torch.dtype,
    device: torch.device,
) -> Any:
    config = read_config(component.path / "config.json")
    if weights is None:
        return _weightless(found.from_config(config), component, dtype)
    with torch.device("meta"):
        module: nn.Module = found.from_config(config)
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    held = {name: info.shape for shard in weights.shards.values() for name, info in shard.items()}
    misshapen = [name for name in wanted.keys() & held.keys() if wanted[name] != held[name]]
    _demand_fit(component, wanted.keys() - held.keys(), held.keys() - wanted.keys(), misshapen)
    module.load_state_dict(dict(_tensors(weights, dtype, device)), assign=True)
    _demand_values(module)
    return module


def _weightless(loaded: Any, component: Component, dtype: torch.dtype) -> Any:
    if not isinstance(loaded, nn.Module):
        return loaded
    _demand_fit(component, [name for name, _ in loaded.named_parameters()], [], [])
    return loaded.to(dtype=dtype)


def _tensors(
    weights: Weights, dtype: torch.dtype, device: torch.device
) -> Iterator[tuple[str, torch.Tensor]]:
    """Copies, since safetensors maps the file: a file that shrinks later must not end us."""
    for path in weights.shards:
        for name, tensor in load_file(path).items():
            kind = dtype if tensor.is_floating_point() else tensor.dtype
            yield name, tensor.to(device=device, dtype=kind, copy=True)


def _demand_fit(
    component: Component,
    missing: Collection[str],
    unexpected: Collection[str],
    misshapen: Collection[str],
) -> None:
    wrong = {"missing": missing, "unexpected": unexpected, "of another shape": misshapen}
    reasons = [f"{why}: {_some(names)}" for why, names in wrong.items() if names]
    if reasons:
        raise WeightsMismatch(component.path, component.class_name, ", ".join(reasons))


def _some(names: Collection[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more


def _demand_values(module: nn.Module) -> None:
    named = chain(module.named_parameters(), module.named_buffers())
    empty = [name for name, tensor in named if tensor.is_meta]
    if empty:
        raise LeftOnMeta(type(module).__name__, empty)


def _ready(module: nn.Module, device: torch.device) -> nn.Module:
    module = module.to(device).eval().requires_grad_(False)
    for tensor in chain(module.parameters(), module.buffers()):
        # A tensor mapped from a file lies where its header ends: its address depends on metadata,
        # and oneMKL promises equal bits for equally aligned memory only.
        if device.type == "cpu" and has_address(tensor) and tensor.data_ptr() % ALIGNMENT:
            tensor.data = tensor.data.clone()
    return module


def has_address(tensor: torch.Tensor) -> bool:
    """Whether its numbers are its own: those of torchao are other tensors put together."""
    return not hasattr(tensor, "__tensor_flatten__")


@contextmanager
def _without_bars(found: type) -> Iterator[None]:
    """Keeps the library's progress bars off the terminal; progress is the platform's to show."""
    library = found.__module__.partition(".")[0]
    if library not in ("diffusers", "transformers"):
        yield
        return
    logging = importlib.import_module(f"{library}.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
