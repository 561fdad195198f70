"""Samplers of flow matching: each an algorithm, each a generator of Steps, over velocities.

The path is straight, x_t = (1 - t)·x_0 + t·noise, so that the velocity is v = noise - x_0, and time
runs from 1 (noise) to 0 (data). Only tensors' own arithmetic is used: this module imports no torch,
so that a sampler's name can be checked where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from omnifex.errors import UnknownSampler, closest

if TYPE_CHECKING:
    from torch import Tensor

Prediction = Literal["velocity", "epsilon", "v_prediction"]


@dataclass(frozen=True)
class Step:
    """The latents after step `index` of `total`, counted from 1, and what they head for."""

    index: int
    total: int
    latents: Tensor
    clean: Callable[[], Tensor]  # the estimate of x_0 that this step was made with, if one asks


Velocity = Callable[["Tensor", float], "Tensor"]
FlowSampler = Callable[[Velocity, "Tensor", Sequence[float]], Iterator[Step]]


def euler(velocity: Velocity, x: Tensor, times: Sequence[float]) -> Iterator[Step]:
    """Euler's method, one backbone call a step."""
    total = len(times) - 1
    for i, (t, t_next) in enumerate(pairwise(times), start=1):
        v = velocity(x, t)
        clean = partial(data_at, x, t, v)
        x = x + (t_next - t) * v
        yield Step(i, total, x, clean)


def heun(velocity: Velocity, x: Tensor, times: Sequence[float]) -> Iterator[Step]:
    """Heun's method (Karras et al. 2022, Algorithm 1), two calls a step and one for the last."""
    total = len(times) - 1
    for i, (t, t_next) in enumerate(pairwise(times), start=1):
        d = velocity(x, t)
        x_next = x + (t_next - t) * d
        if t_next > 0:  # no model is trained to answer at t = 0
            d = (d + velocity(x_next, t_next)) / 2
            x_next = x + (t_next - t) * d
        clean, x = partial(data_at, x, t, d), x_next
        yield Step(i, total, x, clean)


def dpm_solver(velocity: Velocity, x: Tensor, times: Sequence[float]) -> Iterator[Step]:
    """DPM-Solver++(2M) (Lu et al. 2022, Algorithm 2) with α = 1 - t and σ = t, one call a step."""
    total, h_last, x0_last = len(times) - 1, math.inf, None
    for i, (t, t_next) in enumerate(pairwise(times), start=1):
        clean = partial(data_at, x, t, velocity(x, t))
        x0 = clean()
        h = log_snr(t_next) - log_snr(t)

        # Second order needs two finite steps: not the first two from pure noise, not the last.
        d = x0
        if x0_last is not None and math.isfinite(h) and math.isfinite(h_last):
            d = x0 + h / (2 * h_last) * (x0 - x0_last)

        x = t_next / t * x + (1 - t_next / t) * d
        h_last, x0_last = h, x0
        yield Step(i, total, x, clean)


def data_at(x: Tensor, t: float, v: Tensor) -> Tensor:
    """Where the straight path through x at time t comes to."""
    return x - t * v


def log_snr(t: float) -> float:
    """λ = log α/σ, infinite at both ends of the path."""
    if t in (0, 1):
        return math.inf if t == 0 else -math.inf
    return math.log((1 - t) / t)


FLOW_SAMPLERS: Mapping[str, FlowSampler] = {
    "euler": euler,
    "heun": heun,
    "dpm-solver++": dpm_solver,
}

# Latent diffusion is sampled by diffusers' schedulers as they are; how, says diffusion.py.
DIFFUSION_SAMPLERS = ("dpm-solver++", "ddim", "euler", "ddpm")


def samplers_for(prediction: Prediction) -> tuple[str, ...]:
    """The names that fit a backbone of this prediction, its default first."""
    return tuple(FLOW_SAMPLERS) if prediction == "velocity" else DIFFUSION_SAMPLERS


def fitting_sampler(name: str | None, prediction: Prediction) -> str:
    """The sampler to use, or UnknownSampler naming those that fit."""
    fitting = samplers_for(prediction)
    if name is None or name in fitting:
        return name or fitting[0]
    kind = "flow-matching" if prediction == "velocity" else "latent-diffusion"
    raise UnknownSampler(
        f"sampler {name!r} does not fit a {kind} backbone{closest(name, fitting)}; "
        f"these do: {', '.join(fitting)}."
    )
