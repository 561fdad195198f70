"""What is asked of each family, and how a user of diffusers would call its pipeline for it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import diffusers
import numpy as np
import torch
from family_models import Checkpoints
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from omnifex.engine.engine import Assignment, Outcome
from omnifex.modality import File, Modality
from omnifex_registry import load_component

Numbers = NDArray[np.float32]
SMALL = {"width": 16, "height": 16}
RESULTS = ("images", "frames", "audios", "prediction")


@dataclass(frozen=True)
class Case:
    """A request, and the call of the plain pipeline that it must equal.

    `call` names files as `Path("image.png")` where the pipeline takes pictures.
    """

    model: str
    request: Mapping[str, Any]
    call: Mapping[str, Any]
    pipeline: str | None = None  # where it is not the model's own
    files: tuple[str, ...] = ()
    modality: str = "image"
    scheduler: str | None = None
    chaotic: bool = False
    varied: Mapping[str, str] = field(default_factory=lambda: {"guidance": "guidance_scale"})


def both(**fields: Any) -> dict[str, dict[str, Any]]:
    """The same in the words of a request and of a pipeline."""
    names = {"steps": "num_inference_steps", "guidance": "guidance_scale"}
    return {"request": fields, "call": {names.get(k, k): v for k, v in fields.items()}}


CUBE = {"prompt": "a small red cube"}
GUIDED = {**CUBE, "negative_prompt": "blurry", "guidance": 5.0}
PICTURE, MASK = Image.Image, "mask"

CASES: Mapping[str, Case] = {
    "sd": Case("sd", **both(**GUIDED, **SMALL, steps=6)),
    "sd v": Case("sd-v", **both(**GUIDED, **SMALL, steps=6)),
    "sd image": Case(
        "sd",
        **both(**GUIDED, steps=8, strength=0.7),
        pipeline="StableDiffusionImg2ImgPipeline",
        files=("image",),
    ),
    "sd mask": Case(
        "sd",
        **both(**GUIDED, steps=8, strength=0.9),
        pipeline="StableDiffusionInpaintPipeline",
        files=("image", "mask"),
    ),
    "sd-inpaint": Case("sd-inpaint", **both(**GUIDED, steps=6), files=("image", "mask")),
    "sdxl": Case("sdxl", **both(**GUIDED, **SMALL, steps=6)),
    "sdxl image": Case(
        "sdxl",
        **both(**GUIDED, steps=8, strength=0.7),
        pipeline="StableDiffusionXLImg2ImgPipeline",
        files=("image",),
    ),
    "sdxl mask": Case(
        "sdxl",
        **both(**GUIDED, steps=8, strength=0.9),
        pipeline="StableDiffusionXLInpaintPipeline",
        files=("image", "mask"),
    ),
    "flux": Case("flux", **both(**CUBE, **SMALL, steps=6, guidance=3.0)),
    "flux image": Case(
        "flux",
        **both(**CUBE, steps=6, guidance=3.0, strength=0.8),
        pipeline="FluxImg2ImgPipeline",
        files=("image",),
    ),
}


class AsNumbers(Modality[Any]):
    """A modality whose file is the media itself, before it is encoded."""

    def __init__(self, real: Modality[Any]) -> None:
        self.name, self.Request = real.name, real.Request

    def encode(self, media: Any, request: Any, provenance: Mapping[str, Any]) -> list[File]:
        return [File(flat(media).tobytes(), "application/octet-stream", ".f32")]


def flat(media: Any) -> Numbers:
    """All numbers of the media in one row."""
    return np.asarray(media, np.float32).ravel()


def assignment(models: Checkpoints, case: Case, seed: int = 7, **other: Any) -> Assignment:
    """The case as a job whose file holds the numbers of what was made."""
    references = {name: f"sha256:{name}" for name in case.files}
    fields = {**case.request, **references, **other}
    models[case.model]
    asked = models.bench.assignment(case.modality, case.model, seed=seed, **fields)
    inputs = {f"sha256:{name}": models.file(name) for name in case.files}
    return replace(asked, modality=AsNumbers(asked.modality), inputs=inputs)


def numbers(outcome: Outcome) -> Numbers:
    return np.frombuffer(outcome.files[0].data, np.float32)


@torch.inference_mode()
def by_diffusers(models: Checkpoints, case: Case, seed: int = 7, **other: Any) -> Numbers:
    """The numbers of the plain pipeline over the very components that the engine has loaded."""
    pipeline = plain(models, case)
    pictures = {
        {"mask": "mask_image"}.get(name, name): Image.open(models.file(name)) for name in case.files
    }
    sized = {"width": 24, "height": 16} if case.files and takes_size(pipeline) else {}
    arguments = {**sized, "output_type": "np", **pictures, **case.call, **other}
    output = pipeline(**arguments, generator=torch.Generator().manual_seed(seed))
    return flat(next(output[name] for name in RESULTS if name in output)[0])


def takes_size(pipeline: Any) -> bool:
    return "width" in inspect.signature(pipeline.__call__).parameters


def plain(models: Checkpoints, case: Case) -> Any:
    """The class of diffusers itself, no stand-in in it."""
    model = models[case.model]
    parts: dict[str, Any] = {
        role: load_component(part) if part.weightless else models.bench.engine.residency.bring(part)
        for role, part in model.components.items()
    }
    found = getattr(diffusers, case.pipeline or model.class_name)
    if case.scheduler:
        parts["scheduler"] = getattr(diffusers, case.scheduler).from_config(
            parts["scheduler"].config
        )
    expected = inspect.signature(found).parameters
    settings = {
        name: value
        for name, value in model.config.items()
        if name in expected and name not in parts and not isinstance(value, list)
    }
    empty = {n: None for n, v in model.config.items() if isinstance(v, list) and v[0] is None}
    given = {n: v for n, v in {**empty, **settings, **parts}.items() if n in expected}
    assert any(isinstance(part, nn.Module) for part in given.values())
    pipeline = found(**given)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
