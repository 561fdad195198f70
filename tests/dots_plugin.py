"""A whole small plugin with a real component, for the tests of engine, host and test kit."""

import json
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn

import omnifex
from omnifex.engine.context import JobContext
from omnifex.engine.model import LoadedModel
from omnifex_registry import Model, allow_library

allow_library("dots_plugin")


class Dots(nn.Module):
    """A backbone with one weight that remembers which instance was called, and in which thread."""

    calls: ClassVar[list[tuple[int, str]]] = []
    during: ClassVar[Callable[[], object]] = staticmethod(lambda: None)

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Dots":
        return cls()

    def forward(self, latents: Tensor, timestep: Tensor, target: Tensor) -> Tensor:
        Dots.calls.append((id(self), threading.current_thread().name))
        Dots.during()
        velocity: Tensor = self.gain * (latents - target) / timestep.reshape(-1, 1)
        return velocity

    def kept(self, latents: Tensor) -> Tensor:
        """The positive numbers, however many there are."""
        positive = latents.flatten()
        return positive[positive > 0]

    def decode(self, latents: Tensor) -> Tensor:
        if not torch.is_inference_mode_enabled():
            raise RuntimeError("gradients are on")
        if latents.isnan().any():
            raise ValueError("latents are not numbers")
        return latents * self.gain


class DotsRequest(omnifex.Request):
    size: int = Field(default=4, ge=1, le=64, description="How many dots.")


class DotsModality(omnifex.Modality[DotsRequest]):
    name = "dots"
    title = "Dots"
    Request = DotsRequest
    formats: Mapping[str, str] = {"dots": "application/x-dots"}
    default_format = "dots"
    default_model = "dots-1"

    def encode(
        self, media: Any, request: DotsRequest, provenance: Mapping[str, Any]
    ) -> list[omnifex.File]:
        data = json.dumps({"dots": media.tolist(), "provenance": dict(provenance)}).encode()
        return [omnifex.File(data, "application/x-dots", ".dots")]


class DotsFamily(omnifex.LatentFamily[DotsRequest]):
    name = "dots"
    modality = "dots"

    def recognises(self, model: Model) -> bool:
        return model.class_name == "DotsPipeline"

    def shape(self, request: DotsRequest, model: LoadedModel) -> tuple[int, ...]:
        return (request.size,)

    def condition(
        self, job: JobContext, request: DotsRequest, model: LoadedModel
    ) -> omnifex.Condition:
        target = job.randn((1, request.size)) + len(request.prompt)  # (1, size)
        return omnifex.Condition({"target": target}, {"target": torch.zeros_like(target)})

    def decode(
        self, job: JobContext, latents: Tensor, request: DotsRequest, model: LoadedModel
    ) -> Any:
        return model["backbone"].decode(latents)[0]


def write_dots_model(folder: Path) -> Path:
    index = {
        "_class_name": "DotsPipeline",
        "backbone": ["dots_plugin", "Dots"],
        "tokenizer": ["dots_plugin", "Splitter"],
    }
    for part in ("backbone", "tokenizer"):
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text('{"size": 1}')
    (folder / "model_index.json").write_text(json.dumps(index))
    save_file({"gain": torch.ones(1)}, folder / "backbone" / "model.safetensors")
    return folder


class Splitter:
    """A tokenizer with state, which no two jobs may share."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Splitter":
        return cls()

    def __call__(self, text: str) -> list[str]:
        self.seen.append(text)
        return text.split()


@omnifex.hookimpl
def register_modalities() -> list[omnifex.Modality[Any]]:
    return [DotsModality()]


@omnifex.hookimpl
def register_families() -> list[omnifex.Family[Any]]:
    return [DotsFamily()]


@omnifex.hookimpl
def register_models() -> list[omnifex.BuiltinModel]:
    # Two names of the same contents: whoever loads both must find one component.
    home = Path(tempfile.mkdtemp())
    names = ("dots-1", "dots-2")
    return [omnifex.BuiltinModel(name, write_dots_model(home / name)) for name in names]
