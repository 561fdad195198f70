"""A modality of raw tensors, made by a small transformer from a small text encoder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import omnifex
from omnifex.engine.context import JobContext
from omnifex.engine.model import LoadedModel
from omnifex_registry import Model, allow_library
from omnifex_registry.backbones.flow_transformer import FlowTransformer

SHAPE = (4, 8, 8)
BACKBONE = {
    "width": 32,
    "depth": 2,
    "heads": 2,
    "waist": 16,
    "condition_width": 32,
    "streams": {"nano": {"channels": 4, "grid": [8, 8], "patch": [2, 2]}},
}

allow_library("nano_plugin")


class Letters(nn.Module):
    """A text encoder: each letter a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(128, 32)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Letters":
        return cls()

    def forward(self, ids: Tensor) -> Tensor:
        found: Tensor = self.table(ids)
        return found


class NanoModality(omnifex.Modality[omnifex.Request]):
    name = title = "nano"
    Request = omnifex.Request
    formats: Mapping[str, str] = {"raw": "application/octet-stream"}
    default_format = "raw"
    default_model = "nano"

    def encode(self, media: Any, request: Any, provenance: Any) -> list[omnifex.File]:
        meta = {"provenance": dict(provenance)}
        data = media.numpy().tobytes()
        return [omnifex.File(data, "application/octet-stream", ".raw", meta=meta)]


class NanoFamily(omnifex.LatentFamily[omnifex.Request]):
    name, modality = "nano", "nano"

    def recognises(self, model: Model) -> bool:
        return model.class_name == "NanoPipeline"

    def shape(self, request: omnifex.Request, model: LoadedModel) -> tuple[int, ...]:
        return SHAPE

    def condition(
        self, job: JobContext, request: omnifex.Request, model: LoadedModel
    ) -> omnifex.Condition:
        ids = torch.tensor([[ord(letter) % 128 for letter in request.prompt[:8].ljust(8)]])
        tokens = model["text_encoder"](ids)
        said = {"tokens": tokens, "pooled": tokens.mean(1)}
        unsaid = {name: torch.zeros_like(tensor) for name, tensor in said.items()}
        return omnifex.Condition(said, unsaid, {"stream": "nano"})

    def decode(
        self, job: JobContext, latents: Tensor, request: omnifex.Request, model: LoadedModel
    ) -> Tensor:
        return latents


class NanoPlugin:
    """Both, and a model of random weights."""

    def __init__(self, folder: Path) -> None:
        self.folder = write_model(folder)

    @omnifex.hookimpl
    def register_modalities(self) -> list[omnifex.Modality[Any]]:
        return [NanoModality()]

    @omnifex.hookimpl
    def register_families(self) -> list[omnifex.Family[Any]]:
        return [NanoFamily()]

    @omnifex.hookimpl
    def register_models(self) -> list[omnifex.BuiltinModel]:
        return [omnifex.BuiltinModel("nano", self.folder)]


def write_model(folder: Path) -> Path:
    torch.manual_seed(0)
    modules = {
        "backbone": ("omnifex_registry.backbones", FlowTransformer.from_config(BACKBONE), BACKBONE),
        "text_encoder": ("nano_plugin", Letters(), {}),
    }
    index: dict[str, Any] = {"_class_name": "NanoPipeline"}
    for role, (library, module, config) in modules.items():
        # The transformer begins as the zero function; here it must answer to all it is told.
        state = {name: random_like(tensor) for name, tensor in module.state_dict().items()}
        (folder / role).mkdir(parents=True)
        save_file(state, folder / role / "model.safetensors")
        (folder / role / "config.json").write_text(json.dumps(config))
        index[role] = [library, type(module).__name__]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def random_like(tensor: Tensor) -> Tensor:
    return tensor if tensor.count_nonzero() else torch.randn(tensor.shape) * 0.1
