"""The jobs whose throughput is measured, and the models that they run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import omnifex
from benchmarks.overhead_cases import Raw
from omnifex.condition import Condition
from omnifex.engine.context import JobContext
from omnifex.engine.engine import Assignment
from omnifex.engine.model import LoadedModel
from omnifex.generate import sample_latents
from omnifex.workbench import Workbench
from omnifex_registry import Model

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # where the pipelines are built
from tiny_pipelines import TinyFamily, TinyPlugin

TOKENS, CHANNELS, WORDS, WIDTH = 64, 16, 16, 32


class NanoFlux(omnifex.Family[omnifex.Request]):
    """diffusers' Flux transformer in the platform's own loop; guidance is one of its inputs."""

    name, modality = "nano-flux", "raw"

    def recognises(self, model: Model) -> bool:
        return model.class_name == "NanoFluxPipeline"

    def generate(self, job: JobContext, request: omnifex.Request, model: LoadedModel) -> Tensor:
        transformer = model["backbone"]

        def velocity(x: Tensor, timestep: Tensor, **condition: Any) -> Any:
            return transformer(hidden_states=x, timestep=timestep, **condition, return_dict=False)

        condition = Condition(told(request.guidance), shared=places())
        return sample_latents(job, velocity, (TOKENS, CHANNELS), condition, steps=request.steps)


class Guided(TinyFamily):
    """With the guidance that was asked for."""

    name, modality = "guided", "tensors"

    def arguments(
        self, job: JobContext, request: omnifex.Request, model: LoadedModel
    ) -> dict[str, Any]:
        return {**super().arguments(job, request, model), "guidance_scale": request.guidance}


class ThroughputPlugin(TinyPlugin):
    """The pipelines' modality with that family, and the nano model with its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ("sd15",))
        write_nano(folder / "nano-flux")

    @omnifex.hookimpl
    def register_modalities(self) -> list[omnifex.Modality[Any]]:
        return [*super().register_modalities(), Raw()]

    @omnifex.hookimpl
    def register_families(self) -> list[omnifex.Family[Any]]:
        return [Guided(), NanoFlux()]

    @omnifex.hookimpl
    def register_models(self) -> Iterator[omnifex.BuiltinModel]:
        yield from super().register_models()
        yield omnifex.BuiltinModel("nano-flux", self.folder / "nano-flux")


def nano(bench: Workbench, **fields: Any) -> Assignment:
    return bench.assignment("raw", "nano-flux", prompt="as fast as may be", **fields)


def sd15(bench: Workbench, **fields: Any) -> Assignment:
    asked = bench.assignment("tensors", "sd15", prompt="a small red cube", **fields)
    return replace(asked, modality=Raw())


def prism(bench: Workbench, **fields: Any) -> Assignment:
    """What the decoder made, before it becomes a file."""
    asked = bench.assignment("image", prompt="a red circle", **fields)
    return replace(asked, modality=Raw())


def told(guidance: float) -> dict[str, Tensor]:
    """A prompt of one row, and how closely to follow it."""
    words = torch.linspace(-1, 1, WORDS * WIDTH).view(1, WORDS, WIDTH)
    return {
        "encoder_hidden_states": words,
        "pooled_projections": words.mean(1),
        "guidance": torch.tensor([guidance]),
    }


def places() -> dict[str, Tensor]:
    """Where the tokens of picture and prompt are, the same for all rows."""
    cells = torch.cartesian_prod(torch.zeros(1), torch.arange(8.0), torch.arange(8.0))
    return {"img_ids": cells, "txt_ids": torch.zeros(WORDS, 3)}


def write_nano(folder: Path) -> None:
    from diffusers import FluxTransformer2DModel

    torch.manual_seed(0)
    FluxTransformer2DModel(
        patch_size=1,
        in_channels=CHANNELS,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        guidance_embeds=True,
        axes_dims_rope=(4, 6, 6),
    ).save_pretrained(folder / "transformer")
    index = {
        "_class_name": "NanoFluxPipeline",
        "transformer": ["diffusers", "FluxTransformer2DModel"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
