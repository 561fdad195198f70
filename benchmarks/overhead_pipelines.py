"""Unmodified diffusers pipelines: called as their documentation says, and by the engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diffusers
import torch

import omnifex
from benchmarks.overhead_cases import SEED, Case, Raw, as_bytes, calls_of, inferring, made, module
from omnifex.engine.engine import Assignment
from omnifex.workbench import Workbench

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # where the pipelines are built
from tiny_pipelines import TINY, TinyFamily, TinyPlugin, save

# The tests' backbones are smaller than any that is used; these have 3.6 and 2.3 million weights.
BACKBONES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "sd15": ("unet", {"block_out_channels": (64, 96), "layers_per_block": 2, "sample_size": 16}),
    "flux": (
        "transformer",
        {
            "num_layers": 2,
            "num_single_layers": 4,
            "num_attention_heads": 4,
            "attention_head_dim": 32,
            "axes_dims_rope": (8, 12, 12),
        },
    ),
}
SIDE = 32  # px: 16×16 latents, and 64 tokens of them for Flux


class LargerFamily(TinyFamily):
    """The tests' family, for larger pictures."""

    name = "larger"

    def recognises(self, model: Any) -> bool:
        return model.name in BACKBONES

    def arguments(self, job: Any, request: Any, model: Any) -> dict[str, Any]:
        return arguments(model.name, request.steps)


@dataclass(frozen=True)
class LargerPlugin(TinyPlugin):
    """The tests' plugin, with these backbones in its models."""

    @omnifex.hookimpl
    def register_families(self) -> list[omnifex.Family[Any]]:
        return [LargerFamily()]

    @omnifex.hookimpl
    def register_models(self) -> Iterator[omnifex.BuiltinModel]:
        for name in self.names:
            yield omnifex.BuiltinModel(name, enlarged(name, save(name, self.folder / name)))


def enlarged(name: str, folder: Path) -> Path:
    """The saved pipeline with another backbone."""
    role, sizes = BACKBONES[name]
    index = diffusers.DiffusionPipeline.load_config(folder, local_files_only=True)
    found = getattr(diffusers, index[role][1])
    config = found.load_config(folder / role, local_files_only=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found.from_config({**config, **sizes}).save_pretrained(folder / role)
    return folder


def plugin(folder: Path) -> TinyPlugin:
    return LargerPlugin(folder, tuple(BACKBONES))


def arguments(name: str, steps: int) -> dict[str, Any]:
    size = {"height": SIDE, "width": SIDE}
    return {**TINY[name].arguments, **size, "num_inference_steps": steps}


def sd15(bench: Workbench, steps: int) -> Case:
    return case("sd15", bench, steps)


def flux(bench: Workbench, steps: int) -> Case:
    return case("flux", bench, steps)


def case(name: str, bench: Workbench, steps: int) -> Case:
    """The pipeline is put together once by hand, and for each job by the engine."""
    asked = bench.assignment("tensors", name, prompt="a small red cube", steps=steps, seed=SEED)
    asked = replace(asked, modality=Raw())
    pipeline = put_together(bench, asked)

    def by_hand() -> bytes:
        generator = torch.Generator().manual_seed(SEED)
        output = pipeline(**arguments(name, steps), generator=generator)
        return as_bytes(LargerFamily().media(output, asked.request))

    return Case(name, inferring(by_hand), lambda: made(bench, asked), calls_of(bench, asked))


def put_together(bench: Workbench, asked: Assignment) -> Any:
    """The pipeline with the very modules that the engine calls."""
    path = asked.model.path
    pipeline = diffusers.DiffusionPipeline.from_pretrained(path, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    heavy = [part for part in asked.model.components.values() if not part.weightless]
    pipeline.register_modules(**{part.role: module(bench, asked, part.role) for part in heavy})
    return pipeline
