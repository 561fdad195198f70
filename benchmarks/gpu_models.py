"""Models of real classes and real or tiny shapes, with random weights made on the device.

Timing needs no training: weights are N(0, 0.02), not zeros, since what a device draws of power, and
so its clock, depends on the numbers. Text encoders are left out: prompts come as embeddings.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import Tensor, nn

import omnifex
from benchmarks.overhead_cases import as_bytes
from omnifex.engine.acceleration.settings import SET_UP
from omnifex.engine.context import JobContext
from omnifex.engine.engine import Assignment, Engine
from omnifex.engine.model import LoadedModel
from omnifex_registry import Component, Model

KL = {"norm_num_groups": 32, "layers_per_block": 2, "block_out_channels": (128, 256, 512, 512)}
TINY_KL = {"norm_num_groups": 4, "layers_per_block": 1, "block_out_channels": (8, 8, 16, 16)}
SD = {
    "block_out_channels": (320, 640, 1280, 1280),
    "attention_head_dim": (5, 10, 20, 20),
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
    "sample_size": 64,
}
TINY_SD = {
    **SD,
    "block_out_channels": (8, 16, 16, 16),
    "attention_head_dim": (1, 2, 2, 2),
    "cross_attention_dim": 32,
    "layers_per_block": 1,
    "norm_num_groups": 4,
}
XL = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "sample_size": 128,
}
TINY_XL = {
    **XL,
    "block_out_channels": (8, 16, 16),
    "attention_head_dim": (1, 2, 2),
    "transformer_layers_per_block": (1, 1, 2),
    "cross_attention_dim": 64,
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 8 * 6 + 32,
    "layers_per_block": 1,
    "norm_num_groups": 4,
}
FLUX = {"guidance_embeds": True}  # the class's own defaults are Flux.1's shapes
TINY_FLUX = {
    "guidance_embeds": True,
    "in_channels": 64,
    "num_layers": 1,
    "num_single_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 64,
    "pooled_projection_dim": 32,
    "axes_dims_rope": (4, 4, 8),
}


@dataclass(frozen=True)
class Shape:
    """A pipeline's classes and configs, in full and tiny; `text` is (tokens, width, pooled)."""

    pipeline: str
    backbone: tuple[str, str]  # role and class
    config: Mapping[str, Mapping[str, Any]]  # by scale
    latents: Mapping[str, Any]  # of the autoencoder
    scheduler: Any
    text: Mapping[str, tuple[int, int, int]]
    arguments: Mapping[str, Any]


SHAPES: Mapping[str, Shape] = {
    "sd-turbo": Shape(
        "StableDiffusionPipeline",
        ("unet", "UNet2DConditionModel"),
        {"full": SD, "tiny": TINY_SD},
        {"latent_channels": 4},
        diffusers.EulerDiscreteScheduler(timestep_spacing="trailing", steps_offset=1),
        {"full": (77, 1024, 0), "tiny": (8, 32, 0)},
        {"guidance_scale": 0.0},
    ),
    "sdxl": Shape(
        "StableDiffusionXLPipeline",
        ("unet", "UNet2DConditionModel"),
        {"full": XL, "tiny": TINY_XL},
        {"latent_channels": 4},
        diffusers.EulerDiscreteScheduler(steps_offset=1),
        {"full": (77, 2048, 1280), "tiny": (8, 64, 32)},
        {"guidance_scale": 5.0},
    ),
    "flux": Shape(
        "FluxPipeline",
        ("transformer", "FluxTransformer2DModel"),
        {"full": FLUX, "tiny": TINY_FLUX},
        {"latent_channels": 16, "shift_factor": 0.1159, "scaling_factor": 0.3611},
        diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        {"full": (512, 4096, 768), "tiny": (8, 64, 32)},
        {"guidance_scale": 3.5},
    ),
}


class ShapedRequest(omnifex.Request):
    side: int = 512


class Pixels(omnifex.Modality[ShapedRequest]):
    """Pictures as they lie in memory: writing files is not what is measured."""

    name = title = "pixels"
    Request = ShapedRequest
    formats: Mapping[str, str] = {"raw": "application/octet-stream"}
    default_format = "raw"
    default_model = "flux"

    def encode(self, media: Tensor, request: Any, provenance: Any) -> list[omnifex.File]:
        return [omnifex.File(as_bytes(media.float().cpu()), "application/octet-stream", ".raw")]


class ShapedFamily(omnifex.PipelineFamily[ShapedRequest]):
    """Runs any of the shapes by its pipeline."""

    name, modality = "shaped", "pixels"
    pipelines = tuple(shape.pipeline for shape in SHAPES.values())

    def __init__(self, made: Made) -> None:
        self.made = made

    def arguments(
        self, job: JobContext, request: ShapedRequest, model: LoadedModel
    ) -> Mapping[str, Any]:
        return self.made.arguments(request.side, request.steps)

    def media(self, output: Any, request: ShapedRequest) -> Tensor:
        pixels: Tensor = output.images
        return pixels


@dataclass(frozen=True)
class Made:
    """A shape's modules on the device, and its folder with configs and no weights."""

    name: str
    scale: str
    device: torch.device
    record: Model
    modules: Mapping[str, nn.Module]  # by role

    @property
    def shape(self) -> Shape:
        return SHAPES[self.name]

    @property
    def backbone(self) -> nn.Module:
        return self.modules[self.shape.backbone[0]]

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.backbone.parameters())

    def arguments(self, side: int, steps: int) -> dict[str, Any]:
        """What the pipeline is called with; the prompt is embeddings, the same for all."""
        tokens, width, pooled = self.shape.text[self.scale]
        draw = torch.Generator().manual_seed(0)
        kind = next(self.backbone.parameters()).dtype

        def embeds(*shape: int) -> Tensor:
            return torch.randn(shape, generator=draw).to(self.device, kind)

        text = {"prompt_embeds": embeds(1, tokens, width)}
        if pooled:
            text["pooled_prompt_embeds"] = embeds(1, pooled)
        if self.name == "sdxl":
            text |= {f"negative_{name}": torch.zeros_like(value) for name, value in text.items()}
        size = {"height": side, "width": side, "num_inference_steps": steps, "output_type": "pt"}
        return {**self.shape.arguments, **text, **size}

    def pipeline(self) -> Any:
        """The pipeline as diffusers' documentation has it."""
        found = getattr(diffusers, self.shape.pipeline)
        empty = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
        known = inspect.signature(found.__init__).parameters
        parts = dict.fromkeys((*empty, "safety_checker", "feature_extractor"))
        parts |= {"image_encoder": None, "requires_safety_checker": False}
        parts |= {**self.modules, "scheduler": self.shape.scheduler}
        pipeline = found(**{role: part for role, part in parts.items() if role in known})
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def assignment(self, side: int, steps: int, seed: int = 0, **settings: Any) -> Assignment:
        request = ShapedRequest(prompt="random weights", side=side, steps=steps, seed=seed)
        record = replace(self.record, settings=settings)
        return Assignment(f"job-{seed}", request, Pixels(), ShapedFamily(self), record, seed)

    @contextmanager
    def engine(self, **settings: Any) -> Iterator[Engine]:
        """An engine that has the modules; settings come on top of those of earlier engines."""
        from omnifex.settings import tuned

        self.backbone.__dict__.pop(SET_UP, None)
        with Engine(self.device, next(self.backbone.parameters()).dtype) as engine:
            for role, part in tuned(replace(self.record, settings=settings)).components.items():
                if role in self.modules:
                    engine.residency.adopt(part, self.modules[role])
            yield engine


def make(name: str, scale: str, device: torch.device, folder: Path) -> Made:
    """The shape's backbone and autoencoder with random weights, and what describes them on disk."""
    shape = SHAPES[name]
    kl = TINY_KL if scale == "tiny" else KL
    blocks = len(kl["block_out_channels"])  # type: ignore[arg-type]
    role, class_name = shape.backbone
    vae = diffusers.AutoencoderKL.from_config(
        {
            **kl,
            **shape.latents,
            "down_block_types": ("DownEncoderBlock2D",) * blocks,
            "up_block_types": ("UpDecoderBlock2D",) * blocks,
        }
    )
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    modules = {
        role: random_weights(getattr(diffusers, class_name), shape.config[scale], device, dtype),
        "vae": random_weights(diffusers.AutoencoderKL, vae.config, device, dtype),
    }
    return Made(name, scale, device, described(name, shape, modules, folder / name), modules)


def random_weights(
    found: Any, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype
) -> nn.Module:
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            module: nn.Module = found.from_config(dict(config))
    finally:
        torch.set_default_dtype(usual)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.02)
    return module.eval().requires_grad_(False)


def described(name: str, shape: Shape, modules: Mapping[str, nn.Module], folder: Path) -> Model:
    """A model's record whose components have configs and no files of weights."""
    index: dict[str, Any] = {"_class_name": shape.pipeline, "requires_safety_checker": False}
    components = {}
    parts: dict[str, Any] = {**modules, "scheduler": shape.scheduler}
    for role, part in parts.items():
        part.save_config(folder / role)
        index[role] = ["diffusers", type(part).__name__]
        weightless = not isinstance(part, nn.Module)
        components[role] = Component(
            id=f"random:{name}/{role}",
            role=role,
            library="diffusers",
            class_name=type(part).__name__,
            path=folder / role,
            bytes=0 if weightless else part.get_memory_footprint(),
            parameters=0 if weightless else part.num_parameters(),
            dtypes={},
            weightless=weightless,
        )
    (folder / "model_index.json").write_text(json.dumps(index))
    return Model(name, None, shape.pipeline, folder, components, index, 0)
