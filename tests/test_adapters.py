"""Jobs with adapters of their own on a component that all of them share."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from engine_cases import Free
from peft import LoraConfig
from safetensors.torch import save_file
from test_pipelines import numbers
from tiny_pipelines import TINY, TinyFamily, TinyPlugin

from omnifex.engine.adapters import low_rank
from omnifex.engine.adapters.adapter import Adapter, BadAdapter, ImagePrompt, Words, ordered
from omnifex.engine.adapters.fitting import FITTED
from omnifex.engine.context import JobContext
from omnifex.engine.engine import Assignment
from omnifex.engine.model import LoadedModel
from omnifex.engine.watching.record import CallRecord
from omnifex.errors import PluginError
from omnifex.workbench import Workbench
from omnifex_registry import Model, load_component

STEPS = 3


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("adapters")
    with Workbench(folder, [TinyPlugin(folder, ("sd15",))], entry_points=False) as workbench:
        yield workbench


@pytest.fixture(scope="module")
def loras(bench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> list[Adapter]:
    """Two of the backbone, which change other layers and have other ranks."""
    folder = tmp_path_factory.mktemp("loras")
    return [
        lora(bench.model("sd15"), folder / "a", 2, ["to_q", "to_v"]),
        lora(bench.model("sd15"), folder / "b", 4, ["to_k", "to_out.0", "conv1"]),
    ]


def lora(model: Model, folder: Path, rank: int, layers: list[str]) -> Adapter:
    unet = load_component(model.components["unet"])
    with torch.random.fork_rng():
        torch.manual_seed(rank)
        unet.add_adapter(LoraConfig(r=rank, target_modules=layers, init_lora_weights=False))
    unet.save_lora_adapter(folder)
    return Adapter(f"sha256:{folder.name}", folder / "pytorch_lora_weights.safetensors")


def job(bench: Workbench, name: str, *chosen: Adapter, **fields: Any) -> Assignment:
    """A picture with these adapters; jobs differ in nothing else."""

    def run(job: JobContext, model: LoadedModel) -> torch.Tensor:
        pipeline = model.pipeline(adapters={"unet": chosen})
        arguments = {**TINY["sd15"].arguments, "num_inference_steps": STEPS}
        made: torch.Tensor = TinyFamily().media(
            pipeline(**arguments, generator=job.generator), None
        )
        return made

    asked = bench.assignment("tensors", "sd15", prompt="a cube", seed=1, steps=STEPS, **fields)
    return replace(asked, id=name, family=Free(run))


@torch.inference_mode()
def by_diffusers(bench: Workbench, *chosen: Adapter) -> torch.Tensor:
    path = bench.model("sd15").path
    pipeline = diffusers.DiffusionPipeline.from_pretrained(path, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    for one in chosen:
        name = one.path.parent.name
        told = {"weight_name": one.path.name, "use_safetensors": True}
        pipeline.unet.load_lora_adapter(one.path.parent, prefix=None, adapter_name=name, **told)
    if chosen:
        names, weights = [one.path.parent.name for one in chosen], [one.weight for one in chosen]
        pipeline.unet.set_adapters(names, weights)
    arguments = {**TINY["sd15"].arguments, "num_inference_steps": STEPS}
    output = pipeline(**arguments, generator=torch.Generator().manual_seed(1))
    made: torch.Tensor = TinyFamily().media(output, None)
    return made


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")  # of diffusers' own loading
def test_a_job_makes_with_adapters_what_diffusers_makes(
    bench: Workbench, loras: list[Adapter]
) -> None:
    first, second = loras
    half = replace(second, weight=0.5)
    made = []
    for chosen in ((), (first,), (half,), (first, half), ()):
        expected = by_diffusers(bench, *chosen)
        found = torch.from_numpy(numbers(bench.engine.run(job(bench, "one", *chosen))).copy())
        torch.testing.assert_close(found, expected.flatten(), atol=1e-5, rtol=1e-4)
        made.append(found)
    assert torch.equal(made[0], made[-1])
    distances = [float((made[0] - other).abs().max()) for other in made[1:-1]]
    assert min(distances) > 1e-3


def test_jobs_of_other_adapters_share_the_component_and_never_a_call(
    bench: Workbench, loras: list[Adapter]
) -> None:
    first, second = loras
    plain = bench.engine.run(job(bench, "plain", deterministic=True)).files[0].data
    company = {"a": [first], "A": [first], "b": [second], "n": [], "N": [], "w": [*loras]}
    alone = {name: numbers(bench.engine.run(job(bench, name, *company[name]))) for name in company}
    records: list[CallRecord] = []
    bench.engine.dispatcher.runner.observers.append(records.append)
    loads = bench.engine.residency.loads

    for _ in range(2):  # signatures are proved the first time
        running = {
            name: bench.engine.start(job(bench, name, *chosen)) for name, chosen in company.items()
        }
        base = bench.engine.start(job(bench, "plain", deterministic=True))
        for name, one in running.items():
            assert numbers(one.result(60)) == pytest.approx(alone[name], abs=1e-5)
        assert base.result(60).files[0].data == plain
    assert bench.engine.residency.loads == loads
    together = {frozenset(one.jobs) for one in records if one.role == "unet"}
    assert all(len({tuple(company.get(name, [])) for name in jobs}) == 1 for jobs in together)
    assert {"a", "A"} in together or {"n", "N"} in together


def test_a_file_that_does_not_fit_fails_its_job_alone(
    bench: Workbench, loras: list[Adapter], tmp_path: Path
) -> None:
    plain = bench.engine.run(job(bench, "plain", deterministic=True)).files[0].data
    path = tmp_path / "strange.safetensors"
    save_file({"vae.conv.lora_A.weight": torch.ones(2, 2)}, path)
    missing = tmp_path / "missing.safetensors"
    for bad in (
        Adapter("sha256:s", path),
        Adapter("sha256:m", missing),
        ImagePrompt("sha256:i", path),
        ImagePrompt("sha256:j", missing),
    ):
        with pytest.raises(BadAdapter, match=f"adapter {bad.path.name} .*unet"):
            bench.engine.run(job(bench, "bad", loras[0], bad))
        assert bench.engine.run(job(bench, "plain", deterministic=True)).files[0].data == plain


def test_words_are_for_what_has_a_table_of_them(
    bench: Workbench, loras: list[Adapter], tmp_path: Path
) -> None:
    path = tmp_path / "words.safetensors"
    save_file({"<cat>": torch.ones(2, 5)}, path)
    words = Words("sha256:w", path, tensor="<cat>", first=3)
    with pytest.raises(BadAdapter, match="unet is a UNet2DConditionModel, which takes no words"):
        bench.engine.run(job(bench, "bad", words))

    def run(job: JobContext, model: LoadedModel) -> torch.Tensor:
        model.adapt({"text_encoder": [words]})
        hidden: torch.Tensor = model["text_encoder"](torch.tensor([[1, 3]]))[0]
        return hidden

    with pytest.raises(BadAdapter, match=r"words\.safetensors has rows of 5 numbers, and those of"):
        bench.engine.run(replace(job(bench, "one"), family=Free(run)))


def test_adapters_that_are_not_used_do_not_pile_up(
    bench: Workbench, loras: list[Adapter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(low_rank, "MOST", 1)
    for chosen in (loras[:1], loras[1:], loras[:1]):
        bench.engine.run(job(bench, "one", *chosen))
        module = bench.engine.residency.bring(bench.model("sd15").components["unet"])
        assert list(module.__dict__[FITTED].low_rank.names) == [chosen[0].id]
        assert len(module.peft_config) == 1


def test_a_set_of_adapters_has_one_order() -> None:
    a, b = Adapter("a", Path("a")), Adapter("b", Path("b"), 0.25)
    assert ordered([b, a]) == ordered([a, b]) == (a, b)
    assert ordered([b, b, replace(a, weight=0)]) == (replace(b, weight=0.5),)


def test_a_role_that_the_model_has_not_is_named(bench: Workbench, loras: list[Adapter]) -> None:
    def run(job: JobContext, model: LoadedModel) -> torch.Tensor:
        model.adapt({"transformer": loras})
        return torch.ones(1)

    with pytest.raises(PluginError, match="no component in the role 'transformer'"):
        bench.engine.run(replace(job(bench, "one"), family=Free(run)))
