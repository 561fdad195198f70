import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from omnifex.condition import Condition, Start
from omnifex.diffusion import SCHEDULERS, new_scheduler
from omnifex.engine.context import JobContext
from omnifex.errors import Canceled, PluginError, UnknownSampler
from omnifex.generate import sample_latents
from omnifex.prediction import tensor_of, through_the_door
from omnifex.samplers import (
    DIFFUSION_SAMPLERS,
    FLOW_SAMPLERS,
    Prediction,
    fitting_sampler,
    samplers_for,
)
from omnifex.schedules import last_steps, linear, shifted
from omnifex.toy import ExactBackbone

# diffusers 0.42 gives numpy tensors, whose __array__ (torch 2.14) knows no copy keyword yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CONFIG = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
C = torch.tensor([[1.5, -2.0, 0.25]])


class PointMass:
    """The exact answer of a diffusion model whose world holds one point c, by its timestep."""

    def __init__(self, prediction: Prediction, c: Tensor) -> None:
        self.alphas = new_scheduler("ddpm", prediction, CONFIG).alphas_cumprod
        self.prediction, self.c = prediction, c
        self.timesteps: list[int] = []

    def __call__(self, z: Tensor, timestep: Tensor) -> Tensor:
        self.timesteps.append(int(timestep[0]))
        squared = self.alphas[timestep.long()].reshape(-1, 1)
        alpha, sigma = squared.sqrt(), (1 - squared).sqrt()
        epsilon = (z - alpha * self.c) / sigma
        v: Tensor = alpha * epsilon - sigma * self.c
        return epsilon if self.prediction == "epsilon" else v


def flow(job: JobContext, toy: ExactBackbone, **options: Any) -> Tensor:
    return sample_latents(job, toy, (3,), Condition({"target": C}), **options)


@pytest.mark.parametrize("sampler", FLOW_SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 50])
def test_flow_samplers_land_exactly_on_the_point(
    sampler: str, steps: int, omnifex_job: JobContext, omnifex_toy: ExactBackbone
) -> None:
    latents = flow(omnifex_job, omnifex_toy, sampler=sampler, steps=steps)
    assert torch.allclose(latents, C, atol=1e-5)


@pytest.mark.parametrize(("sampler", "order"), [("euler", 1), ("heun", 2), ("dpm-solver++", 2)])
def test_flow_samplers_converge_with_their_order(sampler: str, order: int) -> None:
    """For data N(0, 1) the flow is known: x scales with the spread of the path."""

    def velocity(x: Tensor, t: float) -> Tensor:
        return x * (2 * t - 1) / ((1 - t) ** 2 + t**2)

    def error(steps: int) -> float:
        x = torch.ones(1, dtype=torch.float64)
        *_, last = FLOW_SAMPLERS[sampler](velocity, x, linear(steps))
        return abs(last.latents.item() - 1)

    observed = math.log2(error(40) / error(80))
    assert observed == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize("sampler", DIFFUSION_SAMPLERS)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_diffusion_samplers_find_the_point(
    sampler: str, prediction: Prediction, omnifex_job: JobContext
) -> None:
    backbone = PointMass(prediction, C)
    steps = 1000 if sampler == "ddpm" else 20
    latents = sample_latents(
        omnifex_job,
        backbone,
        (3,),
        Condition({}),
        sampler=sampler,
        steps=steps,
        prediction=prediction,
        scheduler_config=CONFIG,
    )
    assert torch.allclose(latents, C, atol=0.05)
    assert len(backbone.timesteps) == steps
    assert all(earlier > later for earlier, later in pairwise(backbone.timesteps))


@pytest.mark.parametrize("sampler", DIFFUSION_SAMPLERS)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_each_step_of_diffusion_knows_where_it_is_heading(
    sampler: str, prediction: Prediction, omnifex_job: JobContext
) -> None:
    shown: list[Tensor] = []
    sample_latents(
        omnifex_job,
        PointMass(prediction, C),
        (3,),
        Condition({}),
        sampler=sampler,
        steps=20,
        prediction=prediction,
        scheduler_config=CONFIG,
        show=lambda clean: shown.append(clean()),
    )
    assert len(shown) == 19  # the last step is the result itself
    assert all(torch.allclose(clean, C, atol=0.05) for clean in shown)


def test_a_stochastic_sampler_repeats_itself_by_its_seed() -> None:
    def run(seed: int) -> Tensor:
        job = JobContext("test", seed, torch.device("cpu"))
        return sample_latents(
            job,
            lambda z, timestep: torch.zeros_like(z),
            (3,),
            Condition({}),
            sampler="ddpm",
            steps=4,
            prediction="epsilon",
            scheduler_config=CONFIG,
        )

    before = torch.get_rng_state()
    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("sampler", [*FLOW_SAMPLERS, *DIFFUSION_SAMPLERS])
def test_a_weak_start_stays_near_itself(sampler: str, omnifex_job: JobContext) -> None:
    """Where the model answers that all is noise-free already, only the added noise moves it."""
    prediction: Prediction = "velocity" if sampler in FLOW_SAMPLERS else "epsilon"
    start = Start(torch.full((1, 64), 3.0), strength=0.1)
    backbone = PointMass("epsilon", start.latents) if prediction == "epsilon" else ExactBackbone()
    condition = Condition({} if prediction == "epsilon" else {"target": start.latents})
    steps: list[int] = []
    omnifex_job.listener.progress = lambda progress: steps.append(progress.steps)  # type: ignore[method-assign]
    latents = sample_latents(
        omnifex_job,
        backbone,
        (64,),
        condition,
        sampler=sampler,
        steps=20,
        prediction=prediction,
        scheduler_config=CONFIG,
        start=start,
    )
    assert torch.allclose(latents, start.latents, atol=0.2)
    assert steps == [2, 2]


def test_a_full_strength_start_is_pure_noise(
    omnifex_job: JobContext, omnifex_toy: ExactBackbone
) -> None:
    seen: list[Tensor] = []

    def backbone(x: Tensor, timestep: Tensor, target: Tensor) -> Tensor:
        seen.append(x)
        velocity: Tensor = omnifex_toy(x, timestep, target)
        return velocity

    start = Start(torch.full((1, 3), 9.0), strength=1.0)
    sample_latents(omnifex_job, backbone, (3,), Condition({"target": C}), steps=4, start=start)
    assert torch.equal(seen[0], torch.randn(1, 3, generator=torch.Generator().manual_seed(0)))


def test_rows_follow_the_condition(omnifex_job: JobContext, omnifex_toy: ExactBackbone) -> None:
    condition = Condition({"target": C.expand(4, 3)})
    assert sample_latents(omnifex_job, omnifex_toy, (3,), condition, steps=2).shape == (4, 3)


def test_a_cancel_stops_the_loop(omnifex_job: JobContext, omnifex_toy: ExactBackbone) -> None:
    omnifex_job.cancel()
    with pytest.raises(Canceled):
        flow(omnifex_job, omnifex_toy, steps=4)


def test_schedules_run_from_noise_to_data() -> None:
    assert linear(4) == [1, 0.75, 0.5, 0.25, 0]
    assert shifted(linear(4), 1) == linear(4)
    assert shifted(linear(2), 3) == [1, 0.75, 0]
    assert [last_steps(20, strength) for strength in (0, 0.5, 1)] == [1, 10, 20]


def test_a_sampler_that_does_not_fit_is_refused_with_those_that_do() -> None:
    with pytest.raises(UnknownSampler) as caught:
        fitting_sampler("ddim", "velocity")
    assert str(caught.value) == (
        "sampler 'ddim' does not fit a flow-matching backbone; these do: euler, heun, dpm-solver++."
    )
    with pytest.raises(UnknownSampler, match="latent-diffusion backbone, did you mean 'euler'"):
        fitting_sampler("eular", "epsilon")
    assert fitting_sampler(None, "velocity") == "euler"
    assert fitting_sampler(None, "v_prediction") == "dpm-solver++"


def test_every_named_sampler_has_its_algorithm() -> None:
    assert set(samplers_for("epsilon")) == set(SCHEDULERS)
    assert set(samplers_for("velocity")) == set(FLOW_SAMPLERS)


def test_a_diffusion_model_needs_its_noise_schedule(omnifex_job: JobContext) -> None:
    with pytest.raises(PluginError, match=r"scheduler/scheduler_config\.json"):
        sample_latents(
            omnifex_job, lambda z, t: z, (3,), Condition({}), steps=1, prediction="epsilon"
        )


def test_the_door_speaks_the_backbones_dtype() -> None:
    class Half:
        dtype = torch.bfloat16

        def __call__(self, x: Tensor, timestep: Tensor) -> tuple[Tensor]:
            assert (x.dtype, timestep.shape) == (torch.bfloat16, (2,))
            return (x,)

    output = through_the_door(Half())(torch.ones(2, 3), 0.5, {})
    assert output.dtype == torch.float32


def test_a_prediction_is_found_in_any_output() -> None:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

    x = torch.ones(1)
    for output in (x, (x, "more"), UNet2DConditionOutput(sample=x)):
        assert tensor_of(output) is x
