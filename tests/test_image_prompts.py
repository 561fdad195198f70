"""IP-Adapters: pictures that say what is to be made, of one job on a UNet that all share."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import adapter_models
import control_models
import numpy as np
import pytest
from family_cases import AsNumbers, Numbers, numbers
from family_models import Checkpoints, save

from omnifex import Studio
from omnifex.engine.adapters import image_prompts as fitting
from omnifex.engine.engine import Assignment
from omnifex.errors import InvalidRequest
from omnifex.places import spelt_out
from omnifex.workbench import Workbench
from omnifex_image.modality import ImageRequest

CUBE = {"prompt": "a cube", "guidance": 5.0, "steps": 3, "width": 24, "height": 16, "seed": 7}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoints]:
    folder = tmp_path_factory.mktemp("prompts")
    with Workbench(folder) as bench:
        models = Checkpoints(bench, folder)
        for name in ("ip", "ip-plus", "ip-xl", "ip-face", "pixel"):
            adapter_models.add(models, name)
        control_models.add(models, "canny-net")
        lone = adapter_models.ADAPTERS["ip"](models, folder / "lone")
        lone = lone.rename(folder / "lone.safetensors")  # away from its encoder
        models.beside["lone"] = bench.add(lone, "lone")
        yield models


def of(model: str, scale: float = 0.8) -> dict[str, Any]:
    return {"model": model, "image": "sha256:image", "scale": scale}


def asked(models: Checkpoints, *prompts: Any, model: str = "sd", **other: Any) -> Assignment:
    models[model]
    fields = {"image_prompt": list(prompts), **CUBE, **other}
    found = models.bench.assignment("image", model, **fields)
    files = {"sha256:image": models.file("image")}
    return replace(found, modality=AsNumbers(found.modality), inputs=files)


def made(models: Checkpoints, *prompts: Any, **other: Any) -> Numbers:
    return numbers(models.bench.engine.run(asked(models, *prompts, **other)))


def test_jobs_of_other_pictures_scales_and_of_none_share_the_unet(models: Checkpoints) -> None:
    company: dict[str, list[Any]] = {
        "ip": [of("ip")],
        "same": [of("ip")],
        "less": [of("ip", 0.3)],
        "plus": [of("ip-plus")],
        "both": [of("ip"), of("ip-plus", 0.5)],
        "twice": [of("ip"), of("ip", 0.3)],
    }
    engine = models.bench.engine
    base = made(models)
    alone = {name: made(models, *own) for name, own in company.items()}
    loads = engine.residency.loads
    running = {name: engine.start(asked(models, *own)) for name, own in company.items()}
    plain = engine.start(asked(models, deterministic=True))
    for name, one in running.items():
        assert np.abs(numbers(one.result(120)) - alone[name]).max() < 1e-5
    assert np.array_equal(numbers(plain.result(120)), base)
    assert engine.residency.loads == loads
    others = [base, *(alone[name] for name in ("ip", "less", "plus", "both", "twice"))]
    assert min(np.abs(a - b).max() for a in others for b in others if a is not b) > 1e-4
    assert np.array_equal(made(models, of("ip-plus", 0.5), of("ip")), alone["both"])
    assert np.array_equal(made(models, of("ip", 0.0)), base)


def test_sets_that_are_not_used_do_not_pile_up(
    models: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "MOST", 1)
    for prompts in ([of("ip")], [of("ip-plus")], [of("ip")]):
        made(models, *prompts)
        unet = models.bench.engine.residency.bring(models["sd"].components["unet"])
        assert len(getattr(unet, fitting.HELD)) == 1


def test_it_goes_together_with_control_pictures_and_loras(models: Checkpoints) -> None:
    beside: list[dict[str, Any]] = [
        {"control": [{"model": "canny-net", "image": "sha256:image"}]},
        {"lora": [{"model": "pixel"}]},
        {"image": "sha256:image", "strength": 0.7, "width": None, "height": None},
    ]
    for other in beside:
        together = made(models, of("ip"), **other)
        assert np.abs(together - made(models, **other)).max() > 1e-4
        assert np.abs(together - made(models, of("ip"))).max() > 1e-4


@pytest.mark.parametrize(
    ("model", "name", "sentence"),
    [
        ("sdxl", "ip", "'ip' does not fit model 'sdxl': its words are 32 numbers each, and .* 64;"),
        ("sd", "ip-xl", "'ip-xl' does not fit model 'sd': its words are 64 numbers each"),
        ("sd-attentive", "ip", "'ip' does not fit .*: its layers of attention to words"),
        ("sd", "ip-face", "'ip-face' does not fit model 'sd': it is told by a face's identity"),
        ("sd", "lone", "'lone' has no image encoder, and model 'sd' has none; add it again"),
        ("sd", "pixel", "'pixel' is a LoRA, which is no IP-Adapter; omnifex models lists"),
        ("flux", "ip", "model 'flux' cannot use image_prompt: a FluxPipeline takes none"),
        ("prism", "ip", "model 'prism' cannot use image_prompt: family 'prism.*' takes none"),
    ],
)
def test_an_image_prompt_that_does_not_fit_is_refused(
    models: Checkpoints, model: str, name: str, sentence: str
) -> None:
    if model != "prism":
        models[model]
    with pytest.raises(InvalidRequest, match=sentence):
        models.bench.assignment("image", model, prompt="a cube", image_prompt=[of(name)])


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("ip:cat.png", {"model": "ip", "image": "cat.png"}),
        ("ip:cat.png:0.5", {"model": "ip", "image": "cat.png", "scale": 0.5}),
        ("ip:job:01J:1", {"model": "ip", "image": "job:01J", "scale": 1.0}),
    ],
)
def test_an_image_prompt_is_written_in_short(text: str, item: dict[str, Any]) -> None:
    assert spelt_out(ImageRequest, {"image_prompt": text})["image_prompt"] == [item]


def test_an_ip_adapter_is_a_model_of_the_registry(models: Checkpoints, tmp_path: Path) -> None:
    file = adapter_models.ADAPTERS["ip"](models, tmp_path / "files")
    picture = models.file("image")
    with Studio(tmp_path / "home", devices=["cpu"]) as studio:
        studio.models.add(save("sd", tmp_path / "sd"))
        with_encoder = studio.models.add(file, name="ip")
        assert with_encoder.kind == "adapter"
        assert list(with_encoder.components) == ["ip_adapter", "image_encoder"]
        alone = file.rename(tmp_path / "alone.safetensors")
        assert list(studio.models.add(alone, name="alone").components) == ["ip_adapter"]
        shared = studio.models.add(alone, name="shared", base="ip")
        encoder = with_encoder.components["image_encoder"]
        assert shared.components["image_encoder"].id == encoder.id
        fields = {"model": "sd", "prompt": "a cube", "seed": 3, "steps": 2}
        job = studio.submit("image", **fields, image_prompt=f"shared:{picture}:0.7")
        (artifact,) = job.result(120)
        assert len(job.record.recipe["others"]["shared"]["components"]) == 2
        assert studio.replay(job.id).result(120)[0].sha256 == artifact.sha256
        plain = studio.submit("image", **fields)
        assert plain.result(120)[0].sha256 != artifact.sha256
