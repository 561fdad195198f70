import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
import transformers
from engine_cases import Free, Heard
from tiny_pipelines import TINY, TinyFamily, TinyPlugin

from omnifex.engine.context import JobContext
from omnifex.engine.engine import Outcome
from omnifex.engine.model import LoadedModel
from omnifex.errors import Canceled, PluginError, UnknownSampler
from omnifex.workbench import Workbench
from omnifex_registry import load_component


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("pipelines")
    plugin = TinyPlugin(folder, ("sd15", "flux"))
    with Workbench(folder, [plugin], entry_points=False) as workbench:
        yield workbench


def asked(bench: Workbench, model: str = "sd15", seed: int = 1, steps: int = 3) -> Any:
    return bench.assignment("tensors", model, prompt="a cube", seed=seed, steps=steps)


def inside(bench: Workbench, body: Callable[[JobContext, LoadedModel], Any]) -> None:
    """Run the body as a job of its own, with Stable Diffusion."""

    def run(job: JobContext, model: LoadedModel) -> torch.Tensor:
        body(job, model)
        return torch.zeros(1)

    bench.engine.run(replace(asked(bench), family=Free(run)))


def numbers(outcome: Outcome) -> np.ndarray:
    return np.frombuffer(outcome.files[0].data, np.float32)


@torch.inference_mode()
def by_diffusers(path: Path, name: str, seed: int, steps: int) -> np.ndarray:
    """What the pipeline makes where it is loaded and called as its own documentation says."""
    pipeline = diffusers.DiffusionPipeline.from_pretrained(path, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(seed)
    arguments = {**TINY[name].arguments, "num_inference_steps": steps, "generator": generator}
    made: np.ndarray = TinyFamily().media(pipeline(**arguments), None).numpy()
    return made


@pytest.mark.parametrize("name", ["sd15", "flux"])
def test_a_pipeline_makes_what_it_makes_without_the_engine(bench: Workbench, name: str) -> None:
    assignment = asked(bench, name, seed=7, steps=4)
    expected = by_diffusers(assignment.model.path, name, seed=7, steps=4)
    before = torch.get_rng_state()
    assert np.abs(numbers(bench.engine.run(assignment)) - expected).max() < 1e-5
    assert torch.equal(before, torch.get_rng_state())


def test_a_stand_in_passes_as_the_module_and_weighs_nothing(bench: Workbench) -> None:
    def body(job: JobContext, model: LoadedModel) -> None:
        pipeline = model.pipeline()
        assert isinstance(pipeline, diffusers.StableDiffusionPipeline)
        assert isinstance(pipeline.unet, diffusers.UNet2DConditionModel)
        assert isinstance(pipeline.text_encoder, transformers.CLIPTextModel)
        assert pipeline.unet.config.cross_attention_dim == 32
        assert pipeline.unet.dtype == next(pipeline.unet.parameters()).dtype == torch.float32
        assert pipeline.unet.device == pipeline.device == job.device
        assert pipeline.vae_scale_factor == 2
        assert len(pipeline.unet.down_blocks) == 2
        assert all(tensor.is_meta for tensor in pipeline.unet.state_dict().values())
        assert job.calls == 0

    inside(bench, body)


def test_a_part_of_a_stand_in_computes_and_shows_what_the_real_one_does(bench: Workbench) -> None:
    x = torch.linspace(-1, 1, 64).reshape(1, 4, 4, 4)

    def body(job: JobContext, model: LoadedModel) -> None:
        unet, real = model.pipeline().unet, load_component(model.record.components["unet"])
        assert torch.equal(unet.conv_in(x), real.conv_in(x))
        assert torch.equal(unet.conv_in.weight, real.conv_in.weight)
        assert torch.equal(unet.get_time_embed(x, 3), real.get_time_embed(x, 3))
        assert job.calls == 3  # the convolution, its weight, and a part of the embedding

    inside(bench, body)


def test_what_one_job_would_change_for_all_is_refused(bench: Workbench) -> None:
    def body(job: JobContext, model: LoadedModel) -> None:
        pipeline = model.pipeline()
        with pytest.raises(PluginError, match=r"'processor' .* component 'unet' is shared by jobs"):
            pipeline.unet.set_attn_processor(diffusers.models.attention_processor.AttnProcessor())
        with pytest.raises(PluginError, match="'training' of AutoencoderKL cannot be set"):
            pipeline.vae.train()
        assert pipeline.vae.eval() is pipeline.vae

    inside(bench, body)


def test_a_pipeline_may_have_a_component_compute_in_another_type(bench: Workbench) -> None:
    latents = torch.linspace(-1, 1, 64).reshape(1, 4, 4, 4)

    def body(job: JobContext, model: LoadedModel) -> None:
        double, usual = model.pipeline().vae, model.pipeline().vae
        double.to(dtype=torch.float64)
        assert next(double.post_quant_conv.parameters()).dtype == double.dtype == torch.float64
        precise = double.decode(latents.double()).sample
        rounded = usual.decode(latents).sample
        assert (precise.dtype, rounded.dtype) == (torch.float64, torch.float32)
        assert torch.allclose(precise.float(), rounded, atol=1e-5)
        assert double.to(dtype=torch.float32).decode(latents).sample.equal(rounded)

    bench.engine.residency.clear()
    inside(bench, body)
    ids = {resident.component.id.partition("@")[::2] for resident in bench.engine.residents()}
    assert [kind for _, kind in sorted(ids)] == ["", "float64"]


def test_schedulers_and_tokenizers_are_each_pipelines_own(bench: Workbench) -> None:
    def body(job: JobContext, model: LoadedModel) -> None:
        one, other = model.pipeline(), model.pipeline()
        assert one.scheduler is not other.scheduler
        assert one.tokenizer is not other.tokenizer
        assert isinstance(one.scheduler, diffusers.DDIMScheduler)
        one.scheduler.set_timesteps(7)
        assert other.scheduler.num_inference_steps is None

    inside(bench, body)


def test_what_one_job_does_to_its_pipeline_no_other_sees(bench: Workbench) -> None:
    def body(job: JobContext, model: LoadedModel) -> None:
        first = model.pipeline()
        first.safety_checker = first.image_processor.mark = "mine"
        first._progress_bar_config["disable"] = False
        first.unet.to(torch.float64)
        second = model.pipeline()
        assert second.safety_checker is None
        assert not hasattr(second.image_processor, "mark")
        assert second._progress_bar_config["disable"]
        assert (first.unet.dtype, second.unet.dtype) == (torch.float64, torch.float32)

    inside(bench, body)


def test_a_pipeline_whose_constructor_calls_components_is_constructed_by_each_job(
    bench: Workbench,
) -> None:
    class Curious(diffusers.DiffusionPipeline):  # type: ignore[misc]  # untyped
        def __init__(self, unet: Any) -> None:
            super().__init__()
            self.register_modules(unet=unet)
            self.bias = unet.conv_in.bias

    def calls() -> int:
        def body(job: JobContext, model: LoadedModel) -> None:
            model.pipeline(Curious)
            counts.append(job.guard.count)

        counts: list[int] = []
        inside(bench, body)
        return counts[0]

    assert calls() == calls() > 0


def test_a_copied_scheduler_counts_its_own_steps(bench: Workbench) -> None:
    def body(job: JobContext, model: LoadedModel) -> None:
        scheduler = model.pipeline().scheduler
        scheduler.set_timesteps(4)
        twin, x = copy.deepcopy(scheduler), torch.ones(1, 4, 2, 2)
        for t in scheduler.timesteps[:2]:
            x = scheduler.step(x, t, x).prev_sample
        assert (scheduler.steps_taken, twin.steps_taken) == (2, 0)
        scheduler.set_timesteps(4)
        assert scheduler.steps_taken == 0

    inside(bench, body)


def test_components_and_settings_can_be_replaced(bench: Workbench) -> None:
    def body(job: JobContext, model: LoadedModel) -> None:
        euler = diffusers.EulerDiscreteScheduler.from_config(model.scheduler_config)
        pipeline = model.pipeline(diffusers.StableDiffusionImg2ImgPipeline, scheduler=euler)
        assert type(pipeline).__name__ == "StableDiffusionImg2ImgPipeline"
        assert pipeline.scheduler is euler
        assert pipeline.safety_checker is None
        with pytest.raises(PluginError, match="StableDiffusionPipeline has no component prior"):
            model.pipeline(prior=None)

    inside(bench, body)


def test_a_class_that_diffusers_does_not_have_is_named(bench: Workbench) -> None:
    assignment = asked(bench)
    strange = replace(assignment, model=replace(assignment.model, class_name="StrangePipeline"))
    with pytest.raises(PluginError, match="'sd15' is for a StrangePipeline, which is no pipeline"):
        bench.engine.run(strange)


@pytest.mark.parametrize("name", ["sd15", "flux"])
def test_the_scheduler_drives_the_jobs_progress(bench: Workbench, name: str) -> None:
    heard = Heard()
    bench.engine.run(asked(bench, name, steps=5), heard)
    steps = [(p.step, p.steps) for p in heard.progresses if p.stage == "sampling" and p.steps]
    assert steps == [(number, 5) for number in range(1, 6)]
    values = [progress.value for progress in heard.progresses]
    assert values == sorted(values)


@pytest.mark.parametrize("name", ["sd15", "flux"])
def test_a_canceled_pipeline_ends_at_its_step(bench: Workbench, name: str) -> None:
    heard = Heard(lambda progress: running.cancel() if progress.step == 2 else None)
    running = bench.engine.start(asked(bench, name, steps=50), heard)
    with pytest.raises(Canceled):
        running.result(60)
    assert max(progress.step or 0 for progress in heard.progresses) == 2
    assert bench.engine.run(asked(bench, name)).files


def test_jobs_of_a_pipeline_have_its_components_in_common(bench: Workbench) -> None:
    bench.engine.residency.clear()
    running = [bench.engine.start(asked(bench, seed=seed)) for seed in range(3)]
    for job in running:
        job.result(60)
    roles = [resident.component.role for resident in bench.engine.residents()]
    assert (roles.count("unet"), roles.count("vae")) == (1, 1)


def test_a_sampler_that_does_not_fit_the_pipeline_is_refused(bench: Workbench) -> None:
    with pytest.raises(UnknownSampler, match="'ddim' does not fit the flow-matching model 'flux'"):
        bench.assignment("tensors", "flux", prompt="a cube", sampler="ddim")


def test_a_stand_in_called_outside_a_job_says_so(bench: Workbench) -> None:
    kept: list[Any] = []
    inside(bench, lambda job, model: kept.append(model.pipeline()))
    with pytest.raises(PluginError, match=r"vae\.decode was called outside the thread of a job"):
        kept[0].vae.decode(torch.zeros(1, 4, 4, 4))
