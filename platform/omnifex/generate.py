"""The platform's own loop: noise, schedule, guidance, sampler, latents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

from omnifex.condition import Condition, Start
from omnifex.diffusion import Denoise, diffuse, new_scheduler
from omnifex.engine.context import JobContext
from omnifex.errors import PluginError
from omnifex.guidance import classifier_free
from omnifex.prediction import Backbone, through_the_door
from omnifex.samplers import FLOW_SAMPLERS, Prediction, Step, fitting_sampler
from omnifex.schedules import last_steps, linear, shifted


def sample_latents(
    job: JobContext,
    backbone: Backbone,
    shape: tuple[int, ...],
    condition: Condition,
    *,
    steps: int,
    sampler: str | None = None,
    guidance: float = 1.0,
    prediction: Prediction = "velocity",
    shift: float = 1.0,
    scheduler_config: Mapping[str, Any] | None = None,
    start: Start | None = None,
    show: Callable[[Callable[[], Tensor]], None] | None = None,
) -> Tensor:
    """Finished latents (B, *shape), fp32, with as many rows as the condition; drives `job.step`.

    A velocity backbone gets t in [0, 1] as its timestep; `shift` bends its schedule. A noise or v
    backbone gets its scheduler's timesteps and needs the model's `scheduler_config`. `start` is
    noised as far as its strength says, and only the remaining steps are taken. After each step but
    the last, `show` is given what makes the estimate of the finished latents.
    """
    name = fitting_sampler(sampler, prediction)
    noise = job.randn((rows(condition), *shape))
    denoise = classifier_free(through_the_door(backbone), condition, guidance)
    if prediction == "velocity":
        trajectory = flow(denoise, name, noise, steps, shift, start)
    else:
        scheduler = new_scheduler(name, prediction, needed(scheduler_config))
        trajectory = diffuse(
            denoise, scheduler, noise, steps=steps, start=start, generator=job.generator
        )
    latents = noise
    for step in trajectory:
        latents = step.latents
        job.step(step.index, step.total)
        if show is not None and step.index < step.total:
            show(step.clean)
    return latents


def flow(
    denoise: Denoise, sampler: str, noise: Tensor, steps: int, shift: float, start: Start | None
) -> Iterator[Step]:
    """The straight path from noise, or from where the start lies on it."""
    times = shifted(linear(steps), shift)
    if start is None:
        return FLOW_SAMPLERS[sampler](denoise, noise, times)
    times = times[-last_steps(steps, start.strength) - 1 :]
    x = (1 - times[0]) * start.latents.to(noise) + times[0] * noise
    return FLOW_SAMPLERS[sampler](denoise, x, times)


def rows(condition: Condition) -> int:
    """How many rows the condition asks for; one where it says nothing."""
    return next((tensor.shape[0] for tensor in condition.positive.values()), 1)


def needed(scheduler_config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if scheduler_config is None:
        raise PluginError(
            "a latent-diffusion model needs the noise schedule that it was trained with; "
            "give it a scheduler/scheduler_config.json."
        )
    return scheduler_config
