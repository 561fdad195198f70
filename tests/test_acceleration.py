"""Settings of a model: checked when set, applied to its backbone, left out where useless."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers.models.attention_dispatch import _AttentionBackendRegistry as Backends
from tiny_models import save_stable_diffusion
from torch import Tensor, nn

from omnifex.engine.acceleration import settings
from omnifex.engine.acceleration.graphs import MOST_GRAPHS, Graphs, Work, in_buckets
from omnifex.engine.acceleration.settings import (
    accelerate,
    check,
    forget,
    own_state,
    release,
    usable,
)
from omnifex.engine.batching.signature import Reading
from omnifex.settings import InvalidSettings, Settings, keeps_state, settings_of, tuned
from omnifex_jobs import open_database
from omnifex_registry import Component, Model, Registry, migrate

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    home = tmp_path_factory.mktemp("home")
    database = open_database(f"sqlite:///{home / 'models.sqlite'}")
    migrate(database)
    yield Registry(database, home).add(save_stable_diffusion(home / "sd"), name="sd")
    database.dispose()


def flux() -> Any:
    torch.manual_seed(0)
    return diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=4,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=[4, 4, 8],
    ).eval()


def step(t: float, seed: int = 0) -> dict[str, Any]:
    """One call of the tiny Flux."""
    draw = torch.Generator().manual_seed(seed)
    return {
        "hidden_states": torch.randn(1, 16, 4, generator=draw) * t,
        "timestep": torch.tensor([t]),
        "encoder_hidden_states": torch.randn(1, 8, 32, generator=draw),
        "pooled_projections": torch.randn(1, 32, generator=draw),
        "txt_ids": torch.zeros(8, 3),
        "img_ids": torch.zeros(16, 3),
        "return_dict": False,
    }


def component(**settings: Any) -> Component:
    made = Component("sha256:1", "transformer", "diffusers", "Flux", Path(), 0, 0, {}, False)
    return replace(made, settings=settings)


def rerun(work: Work) -> tuple[Any, Callable[[], None]]:
    """A recorder for a CPU: does the work again, into the output that it made first."""
    output = work()

    def replay() -> None:
        for mine, new in zip(Reading(output).tensors, Reading(work()).tensors, strict=True):
            mine.copy_(new)

    return output, replay


class Doubled(nn.Module):
    """Counts how often it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0), requires_grad=False)
        self.runs = 0

    def forward(self, x: Tensor, t: Tensor | float) -> tuple[Tensor]:
        self.runs += 1
        return (x * self.weight + t,)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"speed": 9}, "model 'sd' has no field 'speed'; known: attention, compile"),
        ({"compile": "fast"}, "compile is 'fast', but must be one of blocks, whole"),
        ({"cache": "first-block", "graphs": True}, "a cache decides at each step what to run"),
        ({"autotune": True}, "compile must be set with it"),
        ({"threshold": 2}, "threshold is 2, but must be a number"),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(values: Any, message: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        settings_of(values, "sd")
    assert message in str(caught.value)


def test_settings_are_stored_as_what_differs_from_none_at_all() -> None:
    assert settings_of({}, "sd").chosen == {}
    given = {"attention": "none", "compile": "blocks", "graphs": "on", "interval": 5}
    assert settings_of(given, "sd").chosen == {"compile": "blocks", "graphs": True}


def test_a_tuned_backbone_is_a_component_of_its_own(model: Model) -> None:
    fast = tuned(replace(model, settings={"compile": "whole", "attention": "flex"}))
    assert (
        fast.components["unet"].id == f"{model.components['unet'].id}+attention=flex,compile=whole"
    )
    assert fast.components["unet"].settings == {"compile": "whole", "attention": "flex"}
    assert fast.components["vae"] == model.components["vae"]
    assert tuned(model) is model


def test_what_keeps_state_is_told_from_what_does_not() -> None:
    assert keeps_state(component(cache="first-block"))
    assert not keeps_state(component(compile="blocks"))


def test_settings_that_no_device_could_follow_are_refused_when_they_are_set(model: Model) -> None:
    check(Settings(compile="blocks"), model)
    check(Settings(attention="_native_math"), model)
    with pytest.raises(InvalidSettings, match="cache=first-block does not suit model 'sd'"):
        check(Settings(cache="first-block"), model)
    with pytest.raises(
        InvalidSettings, match="attention is 'flash_hub', but must be one of flash,"
    ):
        check(Settings(attention="flash_hub"), model)
    bare = replace(model, components={"vae": model.components["vae"]})
    with pytest.raises(InvalidSettings, match="model 'sd' has no backbone"):
        check(Settings(graphs=True), bare)


def test_what_fails_on_this_machine_is_named_and_the_rest_is_used() -> None:
    asked = Settings(attention="_native_npu", graphs=True, cache=None, threshold=0.1)
    left, reasons = usable(asked, CPU)
    assert left == Settings(threshold=0.1)
    assert reasons[0].startswith("attention=_native_npu is left out on cpu, where it fails: ")
    assert reasons[1] == (
        "graphs=True is left out on cpu, where it fails: only CUDA devices have graphs."
    )


@torch.inference_mode()
def test_an_attention_backend_is_of_its_module_alone() -> None:
    before, plain, set_up = Backends.get_active_backend()[0], flux(), flux()
    accelerate(set_up, component(attention="_native_math"), CPU)
    assert Backends.get_active_backend()[0] == before
    backends = {
        part.processor._attention_backend for part in set_up.modules() if hasattr(part, "processor")
    }
    assert backends == {"_native_math"}
    torch.testing.assert_close(set_up(**step(0.5))[0], plain(**step(0.5))[0])


@pytest.mark.slow
@pytest.mark.parametrize("part", ["blocks", "whole"])
@torch.inference_mode()
def test_compiled_code_gives_the_same(part: str) -> None:
    plain, compiled = flux(), flux()
    accelerate(compiled, component(compile=part), CPU)
    for t in (0.9, 0.5):
        torch.testing.assert_close(
            compiled(**step(t))[0], plain(**step(t))[0], atol=1e-5, rtol=1e-5
        )


@pytest.mark.slow
@torch.inference_mode()
def test_where_the_compiler_fails_the_code_runs_as_it_is() -> None:
    def broken(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("no kernel for this")

    module = Doubled()
    plain = module.forward
    compiled = torch.compile(plain, backend=broken)
    module.forward = settings.guarded(module, compiled, plain)
    assert module(torch.ones(2), 1.0)[0].tolist() == [3.0, 3.0]
    assert module.forward == plain


@pytest.mark.parametrize("cache", ["first-block", "taylor-seer"])
@torch.inference_mode()
def test_interleaved_jobs_get_what_each_gets_alone_from_a_cache(cache: str) -> None:
    times = (0.9, 0.899, 0.898, 0.5, 0.499, 0.498)

    def alone(job: int) -> list[Tensor]:
        module = flux()
        accelerate(module, component(cache=cache, threshold=0.2, interval=2), CPU)
        return [one(module, job, t) for t in times]

    def one(module: Any, job: int, t: float) -> Tensor:
        with own_state(module, f"job-{job}", ""):
            result: Tensor = module(**step(t, seed=job))[0]
            return result

    shared = flux()
    accelerate(shared, component(cache=cache, threshold=0.2, interval=2), CPU)
    together = [[one(shared, job, t) for job in range(2)] for t in times]
    for job in range(2):
        assert all(map(torch.equal, alone(job), (row[job] for row in together)))
    in_full = [flux()(**step(t))[0] for t in times]
    assert not all(map(torch.equal, in_full, (row[0] for row in together)))  # it skipped something


@torch.inference_mode()
def test_a_cache_forgets_a_job_and_no_other() -> None:
    module = flux()
    accelerate(module, component(cache="first-block"), CPU)

    def known() -> set[str]:
        hooks = [
            part._diffusers_hook for part in module.modules() if hasattr(part, "_diffusers_hook")
        ]
        managers = [
            getattr(hook, "state_manager", None) for one in hooks for hook in one.hooks.values()
        ]
        return {name for manager in managers if manager for name in manager._state_cache}

    for job in ("one", "other"):
        for pass_name in ("cond", "uncond"):
            with own_state(module, job, pass_name):
                module(**step(0.5))
    assert known() == {"one/cond", "one/uncond", "other/cond", "other/uncond"}
    forget(module, "one")
    assert known() == {"other/cond", "other/uncond"}


def test_a_signature_that_keeps_coming_gets_a_graph_which_computes_anew_each_time() -> None:
    module = Doubled()
    module.forward = graphs = Graphs(module, rerun)
    results = [module(torch.full((2,), float(n)), torch.tensor(n))[0] for n in range(5)]
    assert [result.tolist() for result in results] == [[3.0 * n] * 2 for n in range(5)]
    assert len(graphs) == 1
    module(torch.ones(3), torch.tensor(1))
    assert len(graphs) == 1


def test_graphs_are_few_however_many_signatures_come() -> None:
    module = Doubled()
    module.forward = graphs = Graphs(module, rerun)
    for rows in range(1, MOST_GRAPHS + 9):
        for _ in range(4):
            assert module(torch.ones(rows), 1.0)[0].sum() == 3 * rows
    assert len(graphs) == MOST_GRAPHS


def test_what_cannot_be_recorded_runs_as_it_is_and_is_not_tried_again() -> None:
    tried: list[int] = []

    def refuse(work: Work) -> Any:
        tried.append(1)
        raise RuntimeError("operation not permitted when stream is capturing")

    module = Doubled()
    module.forward = Graphs(module, refuse)
    assert [module(torch.ones(1), float(1))[0].item() for _ in range(6)] == [3.0] * 6
    assert len(tried) == 1


def test_graphs_are_of_the_weights_where_they_lie() -> None:
    module = Doubled()
    module.forward = graphs = Graphs(module, rerun)
    for _ in range(4):
        module(torch.ones(1), 0.0)
    module.weight.data = torch.tensor(5.0)
    runs = module.runs
    assert module(torch.ones(1), 0.0)[0].item() == 5.0
    assert module.runs == runs + 2  # recorded anew, and replayed
    release(module)
    assert module(torch.ones(1), 0.0)[0].item() == 5.0
    assert len(graphs) == 0


def test_calls_are_grouped_by_powers_of_two() -> None:
    assert [list(group) for group in in_buckets(range(7))] == [[0, 1, 2, 3], [4, 5], [6]]
    assert list(in_buckets([])) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@torch.inference_mode()
def test_a_cuda_graph_gives_the_same() -> None:
    plain, replayed = flux().cuda(), flux().cuda()
    accelerate(replayed, component(graphs=True), torch.device("cuda"))
    for n in range(6):
        call = {k: v.cuda() if isinstance(v, Tensor) else v for k, v in step(0.9 - n / 10).items()}
        torch.testing.assert_close(replayed(**call)[0], plain(**call)[0])
    assert len(replayed.forward) == 1
