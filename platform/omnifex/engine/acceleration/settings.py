"""A model's settings, applied to its backbone when that has come to its device.

All is done by diffusers' and torch's own means. What does not work on this machine is found by
trying it on something small, is named in one sentence, and is left out; the job goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, wraps
from typing import Any

import torch
from torch import nn

from omnifex.engine.acceleration.graphs import Graphs
from omnifex.settings import OF_AUTOENCODERS, InvalidSettings, Settings
from omnifex_registry import Component, Model
from omnifex_registry.libraries import find_class
from omnifex_registry.quantisation import quantization

log = logging.getLogger("omnifex.engine")

SET_UP = "_omnifex_set_up"
STORED_AS = {"float8": torch.float8_e4m3fn}
HEAD = 64  # the width of an attention head that all backends know


def accelerate(module: Any, component: Component, device: torch.device) -> None:
    """Set up a module that is new, or that has come back to the device."""
    if not component.settings:
        return
    if SET_UP in module.__dict__:
        switch_graphs(module, on=True)
        return
    module.__dict__[SET_UP] = True
    settings, _ = usable(Settings(**component.settings), device)
    if settings.attention:
        set_attention(module, settings.attention)
    if settings.cache:
        module.enable_cache(cache_config(settings))
    if settings.storage:
        module.enable_layerwise_casting(STORED_AS[settings.storage], compute_dtype=module.dtype)
    if settings.tiling:
        module.enable_tiling()
    if settings.slicing:
        module.enable_slicing()
    if settings.compile:
        compile_parts(module, settings)
    if settings.graphs:
        module.forward = Graphs(module)


def loadable(component: Component, device: torch.device) -> Component:
    """The component as its loading on this device can follow its settings."""
    if not component.settings.get("quantize"):
        return component
    settings, _ = usable(Settings(**component.settings), device)
    return replace(component, settings=settings.chosen)


def release(module: Any) -> None:
    """Free what its graphs hold, for its weights are about to leave the device."""
    switch_graphs(module, on=False)


def switch_graphs(module: Any, on: bool) -> None:
    graphs = getattr(module, "forward", None)
    if isinstance(graphs, Graphs):
        graphs.forget()
        graphs.enabled = on


def left_out(model: Model, device: torch.device) -> tuple[str, ...]:
    """What of the model's settings does nothing on this device, in sentences."""
    return usable(Settings(**model.settings), device)[1] if model.settings else ()


@cache
def usable(settings: Settings, device: torch.device) -> tuple[Settings, tuple[str, ...]]:
    """The settings that work on the device, and a sentence for each that does not."""
    reasons: list[str] = []
    for name, attempt in TRIALS.items():
        value = getattr(settings, name)
        if not value:
            continue
        try:
            attempt(settings, device)
        except Exception as error:
            why = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
            reasons.append(f"{name}={value} is left out on {device}, where it fails: {why}.")
            settings = settings.model_copy(update={name: type(settings).model_fields[name].default})
    for reason in reasons:
        log.warning(reason)
    return settings, tuple(reasons)


def try_attention(settings: Settings, device: torch.device) -> None:
    from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn

    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    x = torch.zeros(1, HEAD, 2, HEAD, device=device, dtype=dtype)
    dispatch_attention_fn(x, x, x, backend=AttentionBackendName(settings.attention))


def try_compiling(settings: Settings, device: torch.device) -> None:
    torch.compile(torch.nn.functional.silu)(torch.zeros(2, device=device))


def try_graphs(settings: Settings, device: torch.device) -> None:
    if device.type != "cuda":
        raise RuntimeError("only CUDA devices have graphs")


def try_quantizing(settings: Settings, device: torch.device) -> None:
    linear = torch.nn.Linear(HEAD, HEAD, device=device, dtype=torch.bfloat16)
    if settings.quantize == "nf4":
        if device.type != "cuda":  # as diffusers has it
            raise RuntimeError("4 bits of bitsandbytes need a GPU")
        from bitsandbytes.functional import quantize_4bit

        quantize_4bit(linear.weight.data, quant_type="nf4")
        return
    from torchao.quantization import quantize_

    quantize_(linear, quantization(str(settings.quantize), torch.bfloat16).quant_type)
    linear(torch.zeros(1, HEAD, device=device, dtype=torch.bfloat16))


def try_storing(settings: Settings, device: torch.device) -> None:
    torch.zeros(2, device=device).to(STORED_AS[str(settings.storage)]).to(torch.bfloat16)


def try_offloading(settings: Settings, device: torch.device) -> None:
    if device.type == "cpu":
        raise RuntimeError("weights on a CPU are in host memory already")


TRIALS: dict[str, Callable[[Settings, torch.device], None]] = {
    "attention": try_attention,
    "compile": try_compiling,
    "graphs": try_graphs,
    "quantize": try_quantizing,
    "storage": try_storing,
    "offload": try_offloading,
}


def set_attention(module: Any, backend: str) -> None:
    """Of this module alone: diffusers would make it the default of all others as well."""
    from diffusers import attention_backend

    with attention_backend("native"):  # which puts back what was there before
        module.set_attention_backend(backend)


def cache_config(settings: Settings) -> Any:
    from diffusers import FirstBlockCacheConfig, TaylorSeerCacheConfig

    if settings.cache == "first-block":
        return FirstBlockCacheConfig(threshold=settings.threshold)
    return TaylorSeerCacheConfig(cache_interval=settings.interval)


def compile_parts(module: nn.Module, settings: Settings) -> None:
    """The repeated blocks, which share one compilation, or the whole forward."""
    mode = "max-autotune-no-cudagraphs" if settings.autotune else None
    plain = module.forward
    if settings.compile == "whole":
        module.forward = guarded(module, torch.compile(plain, mode=mode), plain)
        return
    for block in repeated_blocks(module):
        block.compile(mode=mode)
    module.forward = guarded(module, plain, plain)


def guarded(
    module: nn.Module, forward: Callable[..., Any], plain: Callable[..., Any]
) -> Callable[..., Any]:
    """Where the compiler fails on this module's code, the code runs as it is, from then on."""
    from torch._dynamo.exc import TorchDynamoException

    @wraps(plain)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return forward(*args, **kwargs)
        except TorchDynamoException as error:
            why = str(error).strip().partition("\n")[0]
            log.warning("compile is left out: %s cannot be compiled: %s", type(module), why)
        for part in module.modules():
            part._compiled_call_impl = None
        module.forward = plain
        return plain(*args, **kwargs)

    return call


def repeated_blocks(module: nn.Module) -> list[nn.Module]:
    """The blocks that the module's class says it repeats, as diffusers' classes do."""
    names = getattr(module, "_repeated_blocks", None) or ()
    return [part for part in module.modules() if type(part).__name__ in names]


def check(settings: Settings, model: Model) -> None:
    """InvalidSettings where no backbone of the model could ever follow them, on any device."""
    if settings.attention:
        check_attention(settings.attention)
    for name in settings.chosen:
        kind = "autoencoder" if name in OF_AUTOENCODERS else "backbone"
        parts = [part for part in model.components.values() if part.kind == kind]
        if not parts:
            raise InvalidSettings(f"model {model.name!r} has no {kind} that {name} could change.")
        for part in parts if name in CAPABLE else ():
            found = find_class(part.library, part.class_name, part.role)
            if not CAPABLE[name](found, settings):
                raise InvalidSettings(
                    f"{name}={getattr(settings, name)} does not suit model {model.name!r}: its "
                    f"{part.role} is a {part.class_name}, which has no means for it."
                )


CAPABLE: dict[str, Callable[[Any, Settings], bool]] = {
    "attention": lambda found, settings: hasattr(found, "set_attention_backend"),
    "compile": lambda found, settings: (
        settings.compile == "whole" or bool(getattr(found, "_repeated_blocks", None))
    ),
    "cache": lambda found, settings: hasattr(found, "enable_cache"),
    "quantize": lambda found, settings: hasattr(found, "from_single_file"),
    "storage": lambda found, settings: hasattr(found, "enable_layerwise_casting"),
    "tiling": lambda found, settings: hasattr(found, "enable_tiling"),
    "slicing": lambda found, settings: hasattr(found, "enable_slicing"),
}


def check_attention(backend: str) -> None:
    """Names that diffusers knows, but for those that would fetch code from a hub and run it."""
    from diffusers.models.attention_dispatch import AttentionBackendName

    known = [name.value for name in AttentionBackendName if not name.value.endswith("_hub")]
    if backend not in known:
        raise InvalidSettings(f"attention is {backend!r}, but must be one of {', '.join(known)}.")


@contextmanager
def own_state(module: Any, job: str, pass_name: str) -> Iterator[None]:
    """What the module's cache remembers inside is of one job, and of one of its passes a step."""
    with module.cache_context(f"{job}/{pass_name}"):
        yield


def forget(module: Any, job: str) -> None:
    """Free what a cache remembers of a job."""
    from diffusers.hooks.hooks import StateManager

    if not isinstance(module, nn.Module):
        return
    for part in module.modules():
        hooks = getattr(part, "_diffusers_hook", None)
        for hook in hooks.hooks.values() if hooks else ():
            for manager in vars(hook).values():
                if isinstance(manager, StateManager):
                    states = manager._state_cache  # diffusers 0.42 can only forget all at once
                    for name in [name for name in states if name.startswith(f"{job}/")]:
                        states.pop(name, None)
