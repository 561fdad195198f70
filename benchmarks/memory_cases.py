"""Three models that share a text encoder and an autoencoder, of real classes and random weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor
from transformers.utils.logging import disable_progress_bar

import omnifex
from omnifex.engine.context import JobContext
from omnifex.engine.model import LoadedModel
from omnifex_registry import Model
from omnifex_registry.backbones.flow_transformer import FlowTransformer

MODELS = ("a", "b", "c")
LATENTS = (4, 16, 16)
WIDTH, TOKENS = 256, 16
BACKBONE = {
    "width": WIDTH,
    "depth": 8,
    "heads": 4,
    "waist": 64,
    "condition_width": WIDTH,
    "streams": {"trio": {"channels": LATENTS[0], "grid": LATENTS[1:], "patch": [2, 2]}},
}


class Pixels(omnifex.Modality):
    """Decoded pixels as they lie in memory."""

    name = title = "trio"
    Request = omnifex.Request
    formats: Mapping[str, str] = {"raw": "application/octet-stream"}
    default_format = "raw"
    default_model = MODELS[0]

    def encode(self, media: Any, request: Any, provenance: Any) -> list[omnifex.File]:
        return [omnifex.File(media.numpy().tobytes(), "application/octet-stream", ".raw")]


class TrioFamily(omnifex.LatentFamily):
    name = modality = "trio"

    def recognises(self, model: Model) -> bool:
        return model.class_name == "TrioPipeline"

    def shape(self, request: omnifex.Request, model: LoadedModel) -> tuple[int, ...]:
        return LATENTS

    def condition(
        self, job: JobContext, request: omnifex.Request, model: LoadedModel
    ) -> omnifex.Condition:
        letters = [*request.prompt.encode()[:TOKENS]]
        ids = torch.tensor([letters + [0] * (TOKENS - len(letters)), [0] * TOKENS])
        read = model["text_encoder"](ids)
        tokens, pooled = read.last_hidden_state, read.pooler_output
        said, unsaid = (
            {"tokens": tokens[i : i + 1], "pooled": pooled[i : i + 1]} for i in range(2)
        )
        return omnifex.Condition(said, unsaid, {"stream": "trio"})

    def decode(
        self, job: JobContext, latents: Tensor, request: omnifex.Request, model: LoadedModel
    ) -> Tensor:
        pixels: Tensor = model["vae"].decode(latents).sample
        return pixels


class Trio:
    """The plugin: modality, family and the three models, written into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folders = {name: write_model(folder / name, seed) for seed, name in enumerate(MODELS)}

    @omnifex.hookimpl
    def register_modalities(self) -> list[omnifex.Modality[Any]]:
        return [Pixels()]

    @omnifex.hookimpl
    def register_families(self) -> list[omnifex.Family[Any]]:
        return [TrioFamily()]

    @omnifex.hookimpl
    def register_models(self) -> list[omnifex.BuiltinModel]:
        return [omnifex.BuiltinModel(name, folder) for name, folder in self.folders.items()]


def write_model(folder: Path, seed: int) -> Path:
    """A backbone of its own; encoder and autoencoder have equal weights in all of them."""
    disable_progress_bar()
    torch.manual_seed(0)
    text_encoder().save_pretrained(folder / "text_encoder")
    autoencoder().save_pretrained(folder / "vae")
    torch.manual_seed(seed)
    backbone = FlowTransformer.from_config(BACKBONE)
    for parameter in backbone.parameters():  # what starts at zero would hide the others
        torch.nn.init.normal_(parameter, std=0.02)
    (folder / "backbone").mkdir()
    save_file(backbone.state_dict(), folder / "backbone" / "model.safetensors")
    (folder / "backbone" / "config.json").write_text(json.dumps(BACKBONE))
    index = {
        "_class_name": "TrioPipeline",
        "text_encoder": ["transformers", "CLIPTextModel"],
        "backbone": ["omnifex_registry.backbones", "FlowTransformer"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def text_encoder() -> Any:
    return transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            vocab_size=256,
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=8,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


def autoencoder() -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=[32, 64],
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        norm_num_groups=8,
        sample_size=32,
    )
