"""Sampling of latent diffusion: diffusers' schedulers as they are, one instance per job."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from omnifex.condition import Start
from omnifex.samplers import Prediction, Step
from omnifex.schedules import last_steps

Denoise = Callable[[Tensor, float | Tensor], Tensor]

SCHEDULERS: Mapping[str, str] = {
    "ddpm": "DDPMScheduler",
    "ddim": "DDIMScheduler",
    "dpm-solver++": "DPMSolverMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
}


def new_scheduler(sampler: str, prediction: Prediction, config: Mapping[str, Any]) -> Any:
    """A scheduler for one job, of the model's own noise schedule."""
    scheduler_class = getattr(importlib.import_module("diffusers"), SCHEDULERS[sampler])
    # Clipping to ±1 is for pixels, yet some classes do it unless their config says otherwise.
    settings = {"clip_sample": False, **config, "prediction_type": prediction}
    return scheduler_class.from_config(settings)


def diffuse(
    denoise: Denoise,
    scheduler: Any,
    noise: Tensor,
    *,
    steps: int,
    start: Start | None,
    generator: torch.Generator,
) -> Iterator[Step]:
    """Step through the scheduler's times, from pure noise or from the noised start."""
    scheduler.set_timesteps(steps, device=noise.device)
    times = scheduler.timesteps
    x = noise * scheduler.init_noise_sigma
    if start is not None:
        times = times[-last_steps(len(times), start.strength) :]
        begin(scheduler, len(scheduler.timesteps) - len(times))
        x = scheduler.add_noise(start.latents.to(noise), noise, times[:1])

    for i, t in enumerate(times, start=1):
        prediction = denoise(scheduler.scale_model_input(x, t), t)
        step = scheduler.step(prediction, t, x, generator=generator)
        x = step.prev_sample
        yield Step(i, len(times), x, partial(clean, scheduler, step))


def clean(scheduler: Any, step: Any) -> Tensor:
    """The estimate of x_0 in a step; the multistep solver keeps it, the others return it."""
    kept = getattr(scheduler, "model_outputs", None)
    found: Tensor = kept[-1] if kept else step.pred_original_sample
    return found


def begin(scheduler: Any, index: int) -> None:
    """Tell a scheduler that counts its steps where it begins; the others look times up."""
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(index)
