"""A modality whose calls do nothing but take time, for the benchmark of canceling."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

import omnifex
from omnifex_registry import Model, allow_library

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel

allow_library("benchmarks.cancel_cases")
CALL_S = 0.001
WIDTH = 16


class Pause(nn.Module):
    """A backbone that takes its time; a batch takes no longer than one."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Pause:
        return cls()

    def forward(self, latents: Tensor, timestep: Tensor, target: Tensor) -> Tensor:
        time.sleep(CALL_S)
        return latents - target


class PauseModality(omnifex.Modality):
    name = title = "pause"
    Request = omnifex.Request
    formats: Mapping[str, str] = {"raw": "application/octet-stream"}
    default_format = "raw"
    default_model = "pause"

    def encode(self, media: Any, request: Any, provenance: Any) -> list[omnifex.File]:
        return [omnifex.File(media.numpy().tobytes(), "application/octet-stream", ".raw")]


class PauseFamily(omnifex.LatentFamily):
    name = modality = "pause"

    def recognises(self, model: Model) -> bool:
        return model.class_name == "PausePipeline"

    def shape(self, request: omnifex.Request, model: LoadedModel) -> tuple[int, ...]:
        return (WIDTH,)

    def condition(
        self, job: JobContext, request: omnifex.Request, model: LoadedModel
    ) -> omnifex.Condition:
        return omnifex.Condition({"target": job.randn((1, WIDTH))})

    def decode(
        self, job: JobContext, latents: Tensor, request: omnifex.Request, model: LoadedModel
    ) -> Tensor:
        return latents


class PausePlugin:
    """Both, and a model without weights in this folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "pause"
        (self.path / "backbone").mkdir(parents=True)
        index = {"_class_name": "PausePipeline", "backbone": ["benchmarks.cancel_cases", "Pause"]}
        (self.path / "model_index.json").write_text(json.dumps(index))
        (self.path / "backbone" / "config.json").write_text('{"_class_name": "Pause"}')

    @omnifex.hookimpl
    def register_modalities(self) -> list[omnifex.Modality[Any]]:
        return [PauseModality()]

    @omnifex.hookimpl
    def register_families(self) -> list[omnifex.Family[Any]]:
        return [PauseFamily()]

    @omnifex.hookimpl
    def register_models(self) -> list[omnifex.BuiltinModel]:
        return [omnifex.BuiltinModel("pause", self.path)]
