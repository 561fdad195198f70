"""What is done twice: by the engine, and by a hand that calls the same modules."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import omnifex
from omnifex.engine.context import JobContext
from omnifex.engine.engine import Assignment
from omnifex.engine.model import LoadedModel
from omnifex.workbench import Workbench
from omnifex_image.prompts import read
from omnifex_image.words import VOCABULARY
from omnifex_registry import Model, allow_library
from omnifex_registry.backbones.flow_transformer import FlowTransformer

NANO = {"width": 32, "depth": 2, "heads": 2, "waist": 16, "condition_width": 32}
LATENTS = (4, 16, 16)  # 64 tokens of 2×2
GUIDANCE = 3.0
SEED = 7

allow_library(__name__.partition(".")[0])


@dataclass(frozen=True)
class Case:
    """One job, by hand and through the engine; both return the bytes that they made."""

    name: str
    by_hand: Callable[[], bytes]
    by_engine: Callable[[], bytes]
    calls: int  # of components, in one job


class Raw(omnifex.Modality):
    """Tensors and pixels as they lie in memory: writing files is not what is measured."""

    name = title = "raw"
    Request = omnifex.Request
    formats: Mapping[str, str] = {"raw": "application/octet-stream"}
    default_format = "raw"
    default_model = "nano"

    def encode(self, media: Any, request: Any, provenance: Any) -> list[omnifex.File]:
        return [omnifex.File(as_bytes(media), "application/octet-stream", ".raw")]


class NanoFamily(omnifex.LatentFamily):
    """The platform's own loop, over a backbone so small that little else is left to see."""

    name, modality = "nano", "raw"

    def recognises(self, model: Model) -> bool:
        return model.class_name == "NanoPipeline"

    def shape(self, request: omnifex.Request, model: LoadedModel) -> tuple[int, ...]:
        return LATENTS

    def condition(
        self, job: JobContext, request: omnifex.Request, model: LoadedModel
    ) -> omnifex.Condition:
        said, unsaid = words(model["backbone"].config["condition_width"])
        return omnifex.Condition(said, unsaid, {"stream": "nano"})

    def decode(
        self, job: JobContext, latents: Tensor, request: omnifex.Request, model: LoadedModel
    ) -> Tensor:
        return latents


class Idle(nn.Module):
    """A component that does nothing, so that a call of it costs what a call costs."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Idle:
        return cls()

    def forward(self, x: Tensor, timestep: Tensor, **condition: Any) -> Tensor:
        return x


class IdleFamily(omnifex.Family[omnifex.Request]):
    """A hundred calls a step, with a tensor or two in each, as a backbone gets them."""

    name, modality = "idle", "raw"

    def recognises(self, model: Model) -> bool:
        return model.class_name == "IdlePipeline"

    def generate(self, job: JobContext, request: omnifex.Request, model: LoadedModel) -> Tensor:
        return call_idly(model["backbone"], request.steps)


class RawPlugin:
    """The families of this file, and their models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_nano(folder / "nano")
        write_idle(folder / "idle")

    @omnifex.hookimpl
    def register_modalities(self) -> list[omnifex.Modality[Any]]:
        return [Raw()]

    @omnifex.hookimpl
    def register_families(self) -> list[omnifex.Family[Any]]:
        return [NanoFamily(), IdleFamily()]

    @omnifex.hookimpl
    def register_models(self) -> list[omnifex.BuiltinModel]:
        return [omnifex.BuiltinModel(name, self.folder / name) for name in ("nano", "idle")]


def write_nano(folder: Path) -> None:
    stream = {"channels": LATENTS[0], "grid": LATENTS[1:], "patch": [2, 2]}
    config = {**NANO, "streams": {"nano": stream}}
    (folder / "backbone").mkdir(parents=True)
    torch.manual_seed(0)
    weights = FlowTransformer.from_config(config).state_dict()
    save_file(weights, folder / "backbone" / "model.safetensors")
    (folder / "backbone" / "config.json").write_text(json.dumps(config))
    index = {
        "_class_name": "NanoPipeline",
        "backbone": ["omnifex_registry.backbones", "FlowTransformer"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))


def write_idle(folder: Path) -> None:
    (folder / "backbone").mkdir(parents=True)
    (folder / "backbone" / "config.json").write_text("{}")
    index = {"_class_name": "IdlePipeline", "backbone": [__name__, "Idle"]}
    (folder / "model_index.json").write_text(json.dumps(index))


def idle(bench: Workbench, steps: int) -> Case:
    asked = bench.assignment("raw", "idle", prompt="speed", steps=steps, seed=SEED)
    backbone = module(bench, asked, "backbone")

    def by_hand() -> bytes:
        return as_bytes(call_idly(backbone, steps))

    return Case("idle", inferring(by_hand), lambda: made(bench, asked), calls_of(bench, asked))


def call_idly(backbone: Any, steps: int) -> Tensor:
    said, _ = words(NANO["width"])
    x, timestep = torch.zeros(1, *LATENTS), torch.ones(1)
    for _ in range(100 * steps):
        x = backbone(x, timestep, **said)
    return x


def words(width: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A prompt of eight tokens, and silence."""
    tokens = torch.linspace(-1, 1, 8 * width).view(1, 8, width)
    said = {"tokens": tokens, "pooled": tokens.mean(1)}
    return said, {name: torch.zeros_like(tensor) for name, tensor in said.items()}


def nano(bench: Workbench, steps: int) -> Case:
    asked = bench.assignment("raw", prompt="speed", steps=steps, guidance=GUIDANCE, seed=SEED)
    backbone = module(bench, asked, "backbone")

    def by_hand() -> bytes:
        said, unsaid = words(backbone.width)
        condition = {name: torch.cat([said[name], unsaid[name]]) for name in said}
        return as_bytes(euler(backbone, LATENTS, condition, "nano", steps))

    return Case("nano", inferring(by_hand), lambda: made(bench, asked), calls_of(bench, asked))


def prism(bench: Workbench, steps: int) -> Case:
    prompt = "a large red circle in the middle on a plain navy background"  # nothing is left open
    fields: dict[str, Any] = {"steps": steps, "guidance": GUIDANCE, "seed": SEED}
    asked = replace(bench.assignment("image", prompt=prompt, **fields), modality=Raw())
    backbone, conditioner, autoencoder = (
        module(bench, asked, role)
        for role in ("backbone", "image_conditioner", "image_autoencoder")
    )
    stream = backbone.streams["image"]
    shift = asked.family.shift  # type: ignore[attr-defined]

    def by_hand() -> bytes:
        ids = torch.tensor([VOCABULARY.encode(read(prompt).phrases)])
        tokens, pooled = conditioner(torch.cat([ids, torch.zeros_like(ids)]))
        condition = {"tokens": tokens, "pooled": pooled}
        shape = (stream.channels, *stream.grid)
        latents = euler(backbone, shape, condition, "image", steps, shift)
        samples = autoencoder.decode(latents)
        pixels = (samples[0].clamp(-1, 1) + 1) * 127.5
        return as_bytes(pixels.round().byte().permute(1, 2, 0))

    return Case("prism", inferring(by_hand), lambda: made(bench, asked), calls_of(bench, asked))


def euler(
    backbone: Any,
    shape: tuple[int, ...],
    condition: Mapping[str, Tensor],
    stream: str,
    steps: int,
    shift: float = 1.0,
) -> Tensor:
    """The loop as one would write it for this backbone alone."""
    x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(SEED))
    times = [1 - i / steps for i in range(steps + 1)]
    times = [shift * t / (1 + (shift - 1) * t) for t in times]
    for i in range(steps):
        t, t_next = times[i], times[i + 1]
        v = backbone(torch.cat([x, x]), torch.full((2,), t), stream=stream, **condition)
        positive, negative = v.chunk(2)
        x = x + (t_next - t) * (negative + GUIDANCE * (positive - negative))
    return x


def inferring(work: Callable[[], bytes]) -> Callable[[], bytes]:
    decorated: Callable[[], bytes] = torch.inference_mode()(work)
    return decorated


def module(bench: Workbench, asked: Assignment, role: str) -> Any:
    """The very module that the engine calls."""
    parts = asked.model.components.values()
    (component,) = [part for part in parts if role in (part.role, part.kind)]
    return bench.engine.residency.bring(component)


def made(bench: Workbench, asked: Assignment) -> bytes:
    return bench.engine.run(asked).files[0].data


def calls_of(bench: Workbench, asked: Assignment) -> int:
    return int(bench.engine.run(asked).metrics["component_calls"])


def as_bytes(media: Any) -> bytes:
    data: bytes = media.numpy().tobytes() if isinstance(media, Tensor) else media.tobytes()
    return data
