"""Samplers by name for pipelines of diffusers: its schedulers, made from the model's own config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex.errors import UnknownSampler, closest
from omnifex.model_config import component_config

if TYPE_CHECKING:
    from omnifex_registry import Model

DIFFUSION: Mapping[str, str] = {
    "ddpm": "DDPMScheduler",
    "ddim": "DDIMScheduler",
    "dpm-solver++": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler-ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "lcm": "LCMScheduler",
    "tcd": "TCDScheduler",
}
FLOW: Mapping[str, str] = {
    "euler": "FlowMatchEulerDiscreteScheduler",
    "heun": "FlowMatchHeunDiscreteScheduler",
}
SLOT = "scheduler"


def own_scheduler(model: Model) -> str:
    """The class of the scheduler that the model comes with; "" where it has none in that slot."""
    part = model.components.get(SLOT)
    return part.class_name if part else ""


def is_flow(model: Model) -> bool:
    """Whether the model is sampled along a flow."""
    config = component_config(model, SLOT)
    return own_scheduler(model).startswith("FlowMatch") or bool(config.get("use_flow_sigmas"))


def schedulers_of(model: Model) -> Mapping[str, str]:
    """The samplers of the model's kind, with the class of each."""
    return FLOW if is_flow(model) else DIFFUSION


def check_sampler(name: str | None, model: Model, fitting: Mapping[str, str]) -> None:
    """Refuse a sampler that does not fit; none given is the model's own."""
    if name is None or name in fitting:
        return
    if not fitting:
        raise UnknownSampler(
            f"sampler {name!r} cannot be chosen: model {model.name!r} is sampled "
            "by the scheduler that it comes with; leave the sampler out."
        )
    kind = "flow-matching" if is_flow(model) else "latent-diffusion"
    raise UnknownSampler(
        f"sampler {name!r} does not fit the {kind} model {model.name!r}{closest(name, fitting)}; "
        f"these do: {', '.join(fitting)}."
    )


def new_scheduler(class_name: str, config: Mapping[str, Any]) -> Any:
    """A scheduler of this class on the noise schedule of another one's config."""
    import diffusers

    return getattr(diffusers, class_name).from_config(config)
