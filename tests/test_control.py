"""Control networks: what the plain pipeline makes with them, made by jobs that share them."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import control_models
import diffusers
import numpy as np
import pytest
import torch
from family_cases import AsNumbers, Numbers, both, flat, numbers
from family_models import Checkpoints
from PIL import Image

from omnifex.engine.engine import Assignment
from omnifex.errors import InvalidRequest
from omnifex.places import spelt_out
from omnifex.workbench import Workbench
from omnifex_image.control.networks import demand_fit, preprocessed
from omnifex_image.modality import ImageRequest
from omnifex_registry import load_component

UNCHECKED = {"requires_safety_checker": False}
SETTINGS = {"sd": UNCHECKED, "sd-attentive": UNCHECKED, "sdxl": {"add_watermarker": False}}
CUBE = {"prompt": "a small red cube", "guidance": 5.0, "steps": 5}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoints]:
    folder = tmp_path_factory.mktemp("control")
    with Workbench(folder) as bench:
        checkpoints = Checkpoints(bench, folder)
        for name in control_models.NETWORKS:
            control_models.add(checkpoints, name)
        yield checkpoints


def asked(models: Checkpoints, model: str, control: Any, seed: int = 7, **other: Any) -> Assignment:
    models[model]
    fields = {**CUBE, **other}
    found = models.bench.assignment("image", model, seed=seed, control=control, **fields)
    files = {f"sha256:{kind}": models.file(kind) for kind in ("image", "mask")}
    return replace(found, modality=AsNumbers(found.modality), inputs=files)


def made(models: Checkpoints, *given: Any, **other: Any) -> Numbers:
    return numbers(models.bench.engine.run(asked(models, *given, **other)))


@torch.inference_mode()
def by_diffusers(
    models: Checkpoints, model: str, pipeline: str, *names: str, seed: int = 7, **call: Any
) -> Numbers:
    """The plain pipeline over the engine's own components, and its control networks."""
    residency = models.bench.engine.residency
    found = {role: held(residency, part) for role, part in models[model].components.items()}
    networks = [(part.role, residency.bring(part)) for part in parts(models, names)]
    modules = [module for _, module in networks]
    found[networks[0][0]] = modules if len(modules) > 1 else modules[0]
    wanted = getattr(diffusers, pipeline)
    empty = dict.fromkeys(wanted._get_signature_keys(wanted)[0])
    made = wanted(**{**empty, **found}, **SETTINGS[model])
    made.set_progress_bar_config(disable=True)
    arguments = {**both(**CUBE)["call"], "output_type": "np", **call}
    return flat(made(**arguments, generator=torch.Generator().manual_seed(seed)).images[0])


def held(residency: Any, part: Any) -> Any:
    return load_component(part) if part.weightless else residency.bring(part)


def parts(models: Checkpoints, names: tuple[str, ...]) -> Iterator[Any]:
    for name in names:
        yield from models.bench.model(name).components.values()


def picture(models: Checkpoints, kind: str = "image") -> Any:
    with Image.open(models.file(kind)) as file:
        return file.convert("RGB" if kind == "image" else "L")


def with_net(model: str = "canny-net", **other: Any) -> dict[str, Any]:
    return {"model": model, "image": "sha256:image", **other}


@pytest.mark.parametrize(
    ("model", "network", "pipeline"),
    [
        ("sd", "canny-net", "StableDiffusionControlNetPipeline"),
        ("sdxl", "canny-xl", "StableDiffusionXLControlNetPipeline"),
    ],
)
def test_a_control_network_does_what_it_does_in_the_plain_pipeline(
    models: Checkpoints, model: str, network: str, pipeline: str
) -> None:
    ours = made(models, model, [with_net(network, scale=0.8, end=0.7)])
    theirs = by_diffusers(
        models,
        model,
        pipeline,
        network,
        image=picture(models),
        controlnet_conditioning_scale=0.8,
        control_guidance_end=0.7,
    )
    assert np.array_equal(ours, theirs)
    assert not np.array_equal(ours, made(models, model, [], width=24, height=16))


def test_several_networks_have_their_say(models: Checkpoints) -> None:
    both_nets = [with_net(scale=0.8), with_net("depth-net", scale=0.4, start=0.2)]
    theirs = by_diffusers(
        models,
        "sd",
        "StableDiffusionControlNetPipeline",
        "canny-net",
        "depth-net",
        image=[picture(models)] * 2,
        controlnet_conditioning_scale=[0.8, 0.4],
        control_guidance_start=[0.0, 0.2],
        control_guidance_end=[1.0, 1.0],
    )
    assert np.array_equal(made(models, "sd", both_nets), theirs)


def test_a_picture_is_started_from_and_another_kept_to(models: Checkpoints) -> None:
    ours = made(models, "sd", [with_net()], image="sha256:image", strength=0.8)
    theirs = by_diffusers(
        models,
        "sd",
        "StableDiffusionControlNetImg2ImgPipeline",
        "canny-net",
        image=picture(models),
        control_image=picture(models),
        strength=0.8,
        controlnet_conditioning_scale=1.0,
        width=24,
        height=16,
    )
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("names", [["sketch"], ["colours"], ["sketch", "colours"]])
def test_an_adapter_does_what_it_does_in_the_plain_pipeline(
    models: Checkpoints, names: list[str]
) -> None:
    grey = {"sketch": picture(models).convert("L"), "colours": picture(models)}
    seen = [grey[name] for name in names]
    scales = [0.9, 0.5][: len(names)]
    control = [with_net(name, scale=scale) for name, scale in zip(names, scales, strict=True)]
    ours = made(models, "sd-attentive", control)
    theirs = by_diffusers(
        models,
        "sd-attentive",
        "StableDiffusionAdapterPipeline",
        *names,
        image=seen if len(seen) > 1 else seen[0],
        adapter_conditioning_scale=scales if len(scales) > 1 else scales[0],
        width=24,
        height=16,
    )
    assert np.array_equal(ours, theirs)


def test_jobs_share_a_network_and_its_calls(models: Checkpoints) -> None:
    orders = [asked(models, "sd", [with_net()], seed, steps=4 + seed % 2) for seed in range(4)]
    engine = models.bench.engine
    alone = [numbers(engine.run(order)) for order in orders]
    together = [running.result(120) for running in [engine.start(order) for order in orders]]
    assert max(outcome.metrics["batched_with"] for outcome in together) > 1
    for one, outcome in zip(alone, together, strict=True):
        assert np.abs(one - numbers(outcome)).max() < 1e-5
    (network,) = parts(models, ("canny-net",))
    assert [one.component.id for one in engine.residents()].count(network.id) == 1


def test_what_it_looks_at_is_drawn_from_the_picture(models: Checkpoints) -> None:
    drawn = preprocessed(picture(models), "scribble")
    theirs = by_diffusers(
        models, "sd", "StableDiffusionControlNetPipeline", "canny-net", image=drawn
    )
    assert np.array_equal(made(models, "sd", [with_net(preprocess="scribble")]), theirs)


@pytest.mark.parametrize(
    ("model", "control", "sentence"),
    [
        ("sd", [with_net("canny-xl")], "'canny-xl' does not fit model 'sd': its cross_attention"),
        ("sdxl", [with_net()], "'canny-net' does not fit model 'sdxl': its cross_attention_dim"),
        ("flux", [with_net()], r"'canny-net' \(ControlNetModel\) does not fit model 'flux', which"),
        ("sd", [with_net("sd")], "'sd' is a StableDiffusionPipeline, which is no control network"),
        ("sd", [with_net(), with_net("sketch")], "'canny-net' .* and 'sketch' .* cannot be used"),
        ("sd", [with_net("sketch", end=0.5)], "'sketch' is a T2I-Adapter, which is looked at once"),
        ("sd", [with_net(start=0.5, end=0.5)], r"control\[0\] is .*, but must be one whose start"),
        ("sd", [with_net(scale=3)], r"control\[0\].scale is 3, but must be a number from 0 to 2"),
        ("sd", ["canny-net"], r"control\[0\] is 'canny-net', but must be MODEL:FILE"),
        ("sd", [{"model": "canny-net"}], r"control\[0\] needs an image"),
        ("sd", [with_net(blur=1)], r"control\[0\] has no field 'blur'; known: model, image"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(
    models: Checkpoints, model: str, control: Any, sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        asked(models, model, control)


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("net:edges.png", {"model": "net", "image": "edges.png"}),
        ("net:edges.png:0.5", {"model": "net", "image": "edges.png", "scale": 0.5}),
        ("net:job:01J:canny", {"model": "net", "image": "job:01J", "preprocess": "canny"}),
        (
            r"net:C:\cat.png:1:depth",
            {"model": "net", "image": r"C:\cat.png", "scale": 1.0, "preprocess": "depth"},
        ),
        ('{"model": "net", "image": "a.png"}', {"model": "net", "image": "a.png"}),
    ],
)
def test_control_is_written_in_short(text: str, item: dict[str, Any]) -> None:
    assert spelt_out(ImageRequest, {"control": text})["control"] == [item]
    assert spelt_out(ImageRequest, {"control": [text, text]})["control"] == [item, item]


@pytest.mark.parametrize(("theirs", "fits"), [(32, True), (None, True), (64, False)])
def test_sizes_are_compared_where_both_say_one(
    models: Checkpoints, theirs: int | None, fits: bool
) -> None:
    refused = nullcontext() if fits else pytest.raises(InvalidRequest, match="cross_attention_dim")
    with refused:
        demand_fit("net", {"cross_attention_dim": theirs}, models["sd"])
