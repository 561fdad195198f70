"""LoRA in requests: what diffusers makes with it, by jobs that share the model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import control_models
import diffusers
import lora_models
import numpy as np
import pytest
import torch
from engine_cases import Free
from family_cases import AsNumbers, Numbers, both, flat, numbers
from family_models import Checkpoints, save
from safetensors.torch import save_file

from omnifex import Studio
from omnifex.engine.adapters.adapter import Adapter
from omnifex.engine.context import JobContext
from omnifex.engine.engine import Assignment
from omnifex.engine.model import LoadedModel
from omnifex.errors import InvalidRequest
from omnifex.places import spelt_out
from omnifex.workbench import Workbench
from omnifex_image.modality import ImageRequest
from omnifex_registry.adapters import adapter_file

CUBE = {"prompt": "a small red cube", "guidance": 5.0, "steps": 4, "width": 24, "height": 16}
PIXEL, INK = {"model": "pixel", "weight": 0.8}, {"model": "ink", "weight": -0.5}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoints]:
    folder = tmp_path_factory.mktemp("lora")
    with Workbench(folder) as bench:
        models = Checkpoints(bench, folder)
        pixel = lora_models.changes(models["sd"], "unet", 1, 2, ["to_q", "to_v"])
        ink = lora_models.changes(models["sd"], "unet", 2, 4, ["to_k", "to_out.0", "conv1"])
        words = lora_models.changes(models["sd"], "text_encoder", 3, 2, ["q_proj"])
        xl = lora_models.changes(models["sdxl"], "unet", 4, 2, ["to_k"])
        files = {
            "pixel": lora_models.saved(folder / "a", pixel),
            "worded": lora_models.saved(folder / "w", pixel, words),
            "ink": lora_models.saved(folder / "b", ink),
            "xl-ink": lora_models.saved(folder / "c", xl),
            "kohya": lora_models.kohya(folder / "kohya.safetensors", pixel, 1.0),
            "peft": lora_models.by_peft(folder / "peft.safetensors", pixel),
            **strangers(folder),
        }
        for name, file in files.items():
            lora_models.add(models, file, name)
        control_models.add(models, "canny-net")
        yield models


def strangers(folder: Path) -> dict[str, Path]:
    """LoRAs of which nothing is in the tiny models."""
    names = {
        "sgm": "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_down.weight",
        "flux-ink": "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight",
        "elsewhere": "unet.far_blocks.0.lora_A.weight",
        "words": "text_encoder.layers.0.q_proj.lora_A.weight",
    }
    for name, layer in names.items():
        save_file({layer: torch.ones(2, 2048)}, folder / f"{name}.safetensors")
    return {name: folder / f"{name}.safetensors" for name in names}


def asked(models: Checkpoints, *lora: Any, model: str = "sd", **other: Any) -> Assignment:
    models[model]
    fields = {**CUBE, "seed": 7, **other}
    found = models.bench.assignment("image", model, lora=list(lora), **fields)
    files = {"sha256:image": models.file("image")}
    return replace(found, modality=AsNumbers(found.modality), inputs=files)


def made(models: Checkpoints, *lora: Any, **other: Any) -> Numbers:
    return numbers(models.bench.engine.run(asked(models, *lora, **other)))


@torch.inference_mode()
def by_diffusers(models: Checkpoints, *lora: Any, scheduler: Any = None, **other: Any) -> Numbers:
    """A pipeline of its own, with what its `load_lora_weights` makes of the files."""
    path = models["sd"].path
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(path, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.requires_safety_checker = False
    if scheduler:
        pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config)
    for one in lora:
        file = adapter_file(models.bench.model(one["model"]))
        told = {"weight_name": file.name, "adapter_name": one["model"]}
        pipeline.load_lora_weights(file.parent, **told)
    if lora:
        pipeline.set_adapters([o["model"] for o in lora], [o.get("weight", 1.0) for o in lora])
    arguments = {**both(**{**CUBE, **other})["call"], "output_type": "np"}
    return flat(pipeline(**arguments, generator=torch.Generator().manual_seed(7)).images[0])


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")  # of diffusers' own loading
@pytest.mark.parametrize("lora", [[], [PIXEL], [PIXEL, INK], [{"model": "kohya"}]])
def test_a_job_makes_with_loras_what_diffusers_makes(models: Checkpoints, lora: list[Any]) -> None:
    ours = made(models, *lora)
    assert np.abs(ours - by_diffusers(models, *lora)).max() < 1e-5
    assert not lora or np.abs(ours - made(models)).max() > 1e-3


@pytest.mark.parametrize(
    ("model", "role"), [("sdxl", "unet"), ("flux", "transformer"), ("sd3", "transformer")]
)
def test_loaders_of_other_pipelines_are_asked(models: Checkpoints, model: str, role: str) -> None:
    own: Any = getattr(diffusers, models[model].class_name)
    layers = lora_models.changes(models[model], role, 5, 2, ["to_k", "to_out.0"])
    folder = models.folder / f"{model}-files"
    own.save_lora_weights(folder, **{f"{role}_lora_layers": layers})
    file = folder / "pytorch_lora_weights.safetensors"
    lora_models.add(models, file, f"{model}-own")
    asked = {"model": model, "guidance": 3.0}
    ours = made(models, {"model": f"{model}-own", "weight": 0.8}, **asked)
    pipeline = own.from_pretrained(models[model].path, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(folder, weight_name=file.name, adapter_name="own")
    pipeline.set_adapters("own", 0.8)
    arguments = {**both(**{**CUBE, "guidance": 3.0})["call"], "output_type": "np"}
    with torch.inference_mode():
        theirs = pipeline(**arguments, generator=torch.Generator().manual_seed(7)).images[0]
    assert np.abs(ours - flat(theirs)).max() < 1e-5
    assert np.abs(ours - made(models, **asked)).max() > 1e-4


def test_a_distilling_lora_is_sampled_in_few_steps(models: Checkpoints) -> None:
    few: dict[str, Any] = {"guidance": 1.0, "steps": 2}
    theirs = by_diffusers(models, PIXEL, scheduler=diffusers.LCMScheduler, **few)
    assert np.abs(made(models, PIXEL, sampler="lcm", **few) - theirs).max() < 1e-5


@pytest.mark.parametrize("name", ["worded", "peft"])
def test_the_same_change_is_the_same_whoever_saved_it(models: Checkpoints, name: str) -> None:
    ours = made(models, {"model": name, "weight": 0.8})
    assert np.abs(ours - made(models, PIXEL)).max() < 1e-5


def test_jobs_of_other_loras_and_of_none_run_together(models: Checkpoints) -> None:
    company: dict[str, list[Any]] = {"pixel": [PIXEL], "ink": [INK], "both": [PIXEL, INK]}
    plain = asked(models, deterministic=True)
    engine = models.bench.engine
    base = engine.run(plain).files[0].data
    alone = {name: made(models, *lora) for name, lora in company.items()}
    loads = engine.residency.loads
    running = {n: engine.start(asked(models, *lora)) for n, lora in company.items()}
    unchanged = engine.start(plain)
    for name, one in running.items():
        assert np.abs(numbers(one.result(120)) - alone[name]).max() < 1e-5
    assert unchanged.result(120).files[0].data == base
    assert engine.residency.loads == loads


def test_a_lora_changes_what_a_control_network_controls(models: Checkpoints) -> None:
    control = [{"model": "canny-net", "image": "sha256:image"}]
    with_both = made(models, PIXEL, control=control)
    assert np.abs(with_both - made(models, control=control)).max() > 1e-3
    assert np.abs(with_both - made(models, PIXEL)).max() > 1e-3


def test_another_model_in_the_job_is_left_as_it_is(models: Checkpoints) -> None:
    other = models["sd-attentive"]

    def run(job: JobContext, model: LoadedModel) -> torch.Tensor:
        model.adapt(chosen)
        shape, words = torch.ones(1, 4, 8, 8), torch.ones(1, 5, 32)
        beside: torch.Tensor = model.other("other")["unet"](shape, 3, words).sample
        return beside

    pixel = models.bench.model("pixel")
    chosen: dict[str, list[Adapter]] = {}
    order = asked(models)
    order = replace(order, family=Free(run), model=replace(order.model, others={"other": other}))
    plain = numbers(models.bench.engine.run(order)).copy()
    chosen["unet"] = [Adapter(pixel.version, adapter_file(pixel))]
    assert np.array_equal(numbers(models.bench.engine.run(order)), plain)


@pytest.mark.parametrize(
    ("model", "lora", "sentence"),
    [
        (
            "sd",
            "xl-ink",
            "'xl-ink' does not fit model 'sd': its unet.* takes 64 numbers, and .* 32;",
        ),
        ("sd", "sgm", "'sgm' does not fit model 'sd': it is made for sdxl;"),
        ("sd", "flux-ink", "'flux-ink' does not fit model 'sd': it is made for flux;"),
        (
            "flux",
            "pixel",
            "'pixel' does not fit model 'flux': the transformer of the model has none",
        ),
        ("sd", "elsewhere", "'elsewhere' does not fit model 'sd': the unet of the model has none"),
        ("sd", "words", "'words' does not fit model 'sd': it changes nothing of the unet;"),
        ("sd", "canny-net", "'canny-net' is a ControlNetModel, which is no LoRA"),
        ("unclip", "pixel", "model 'unclip' cannot use lora: a UnCLIPPipeline takes none"),
        ("prism", "pixel", "model 'prism' cannot use lora: family 'prism.*' takes none"),
        ("sd", {"model": "pixel", "weight": 11}, r"lora\[0\].weight is 11, but must be a number"),
        ("sd", {"weight": 1}, r"lora\[0\] needs a model"),
    ],
)
def test_a_lora_that_does_not_fit_is_refused(
    models: Checkpoints, model: str, lora: Any, sentence: str
) -> None:
    if model != "prism":
        models[model]
    with pytest.raises(InvalidRequest, match=sentence):
        models.bench.assignment("image", model, prompt="a cube", lora=lora)


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("pixel", {"model": "pixel"}),
        ("pixel:0.8", {"model": "pixel", "weight": 0.8}),
        ("pixel:-1", {"model": "pixel", "weight": -1.0}),
        ("org:pixel", {"model": "org:pixel"}),
        ('{"model": "pixel"}', {"model": "pixel"}),
    ],
)
def test_a_lora_is_written_in_short(text: str, item: dict[str, Any]) -> None:
    assert spelt_out(ImageRequest, {"lora": [text, text]})["lora"] == [item, item]


def test_a_job_keeps_the_loras_that_it_named(models: Checkpoints, tmp_path: Path) -> None:
    with Studio(tmp_path / "home", devices=["cpu"]) as studio:
        studio.models.add(save("sd", tmp_path / "sd"))
        file = adapter_file(models.bench.model("worded"))
        studio.models.add(file, name="worded")
        asked = {"model": "sd", "prompt": "a cube", "seed": 3, "steps": 2}
        job = studio.submit("image", **asked, lora="worded:0.8")
        assert job.notes == ("what lora 'worded' has for the text encoder is left out",)
        (artifact,) = job.result(120)
        part = {"lora": studio.models.show("worded").components["lora"].id}
        assert job.record.recipe["others"]["worded"]["components"] == part
        assert studio.replay(job.id).result(120)[0].sha256 == artifact.sha256
        plain = studio.submit("image", **asked)
        assert plain.result(120)[0].sha256 != artifact.sha256
