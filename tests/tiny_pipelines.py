"""Tiny random pipelines of diffusers by name, saved as models, and the plugin that runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tiny_images as images
import tiny_sounds as sounds
import tiny_videos as videos
import torch
from torch import Tensor, nn

import omnifex
from omnifex.engine.context import JobContext
from omnifex.engine.model import LoadedModel

STEPS = (6, 6, 8, 5)  # of the four jobs of every comparison
PROMPT = {"prompt": "a small red cube"}
SMALL = {"height": 16, "width": 16, "output_type": "pt"}
GUIDED = {**PROMPT, "guidance_scale": 5.0, "negative_prompt": "blurry", **SMALL}
CLIP = {**GUIDED, "max_sequence_length": 16}
MILD = {"guidance_scale": 2.0}
RESULTS = ("images", "frames", "audio", "audios", "prediction")  # what outputs call them


@dataclass(frozen=True)
class Tiny:
    """How a pipeline is built and called.

    A chaotic one amplifies rounding: its jobs are held against what a change of 1e-6 does to them.
    Guidance amplifies it too, by more with random weights than with trained ones; where that would
    hide an error behind rounding it is mild.
    """

    build: Callable[[], Any]
    arguments: Mapping[str, Any]
    chaotic: bool = False


PICTURE = images.random_picture(16)
TINY: Mapping[str, Tiny] = {
    "sd15": Tiny(images.sd15, GUIDED),
    "sdxl": Tiny(images.sdxl, GUIDED),
    "sd3": Tiny(images.sd3, CLIP),
    "flux": Tiny(images.flux, {**PROMPT, **SMALL, "max_sequence_length": 24}),
    "dit": Tiny(images.dit, {"class_labels": [1, 2], **MILD, "output_type": "np"}),
    "unidiffuser": Tiny(images.unidiffuser, {**PROMPT, **SMALL, "output_type": "np"}),
    "pixart": Tiny(
        images.pixart, {**GUIDED, "use_resolution_binning": False, "clean_caption": False}
    ),
    "lcm": Tiny(images.lcm, {**PROMPT, **SMALL, "guidance_scale": 6.0}),
    "consistency": Tiny(images.consistency, {"class_labels": 1, "output_type": "pt"}),
    "kandinsky": Tiny(
        images.kandinsky,
        {
            "image_embeds": sounds.random_embedding(5),
            "negative_image_embeds": sounds.random_embedding(6),
            "height": 64,
            "width": 64,
            "output_type": "pt",
        },
        chaotic=True,
    ),
    "deepfloyd": Tiny(images.deepfloyd, {**GUIDED, "clean_caption": False}, chaotic=True),
    "controlnet": Tiny(images.controlnet, {**GUIDED, "image": PICTURE}),
    "marigold": Tiny(
        images.marigold,
        {"image": PICTURE, "processing_resolution": 0, "output_type": "np"},
    ),
    "wan": Tiny(videos.wan, {**CLIP, "num_frames": 9}),
    "cogvideox": Tiny(videos.cogvideox, {**CLIP, "num_frames": 8}),
    "ltx": Tiny(videos.ltx, {**CLIP, "height": 32, "width": 32, "num_frames": 9}),
    "ltx2": Tiny(
        videos.ltx2,
        {
            **CLIP,
            "guidance_scale": 1.0,
            "audio_guidance_scale": 1.0,
            "height": 32,
            "width": 32,
            "num_frames": 5,
            "frame_rate": 25.0,
        },
    ),
    "latte": Tiny(
        videos.latte,
        {**GUIDED, **MILD, "video_length": 4, "clean_caption": False, "decode_chunk_size": 2},
    ),
    "hunyuan": Tiny(
        videos.hunyuan,
        {
            **PROMPT,
            **SMALL,
            "num_frames": 9,
            "max_sequence_length": 16,
            "prompt_template": {"template": "{}", "crop_start": 0},
        },
    ),
    "svd": Tiny(
        videos.svd,
        {
            "image": images.random_picture(32),
            "height": 32,
            "width": 32,
            "num_frames": 2,
            "output_type": "pt",
        },
    ),
    "animatediff": Tiny(videos.animatediff, {**GUIDED, "num_frames": 4}),
    "stable_audio": Tiny(
        sounds.stable_audio, {**PROMPT, "audio_end_in_s": 3.0, "output_type": "pt"}
    ),
    "audioldm2": Tiny(
        sounds.audioldm2, {**PROMPT, "audio_length_in_s": 0.016, "output_type": "np"}
    ),
    "ace_step": Tiny(
        sounds.ace_step,
        {**PROMPT, "lyrics": "[verse] soft", "audio_duration": 0.4, "max_text_length": 32},
    ),
    "shap_e": Tiny(sounds.shap_e, {**PROMPT, **MILD, "frame_size": 16, "output_type": "latent"}),
}


def save(name: str, folder: Path, seed: int = 0) -> Path:
    """The pipeline as a model folder; the global randomness is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pipeline = TINY[name].build()
    for component in pipeline.components.values():
        if isinstance(component, nn.Module):
            component.eval()
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


class TensorRequest(omnifex.Request):
    """Any pipeline's: its other arguments come with its name."""


class Tensors(omnifex.Modality[TensorRequest]):
    """A modality whose files are the numbers themselves, to be compared."""

    name = "tensors"
    title = "Tensors"
    Request = TensorRequest
    formats: Mapping[str, str] = {"f32": "application/octet-stream"}
    default_format = "f32"
    default_model = "sd15"

    def encode(
        self, media: Tensor, request: TensorRequest, provenance: Mapping[str, Any]
    ) -> list[omnifex.File]:
        data = media.float().cpu().numpy().tobytes()
        return [omnifex.File(data, "application/octet-stream", ".f32")]


class TinyFamily(omnifex.PipelineFamily[TensorRequest]):
    """Runs a model by the arguments that its name has in TINY."""

    name, modality = "tiny", "tensors"
    pipelines = ()

    def recognises(self, model: Any) -> bool:
        return model.name in TINY

    def arguments(
        self, job: JobContext, request: TensorRequest, model: LoadedModel
    ) -> dict[str, Any]:
        return {**TINY[model.name].arguments, "num_inference_steps": request.steps}

    def media(self, output: Any, request: TensorRequest) -> Tensor:
        found = [output.get(name) for name in RESULTS]
        return torch.cat([flat(value) for value in found if value is not None])


@dataclass(frozen=True)
class TinyPlugin:
    """The modality, the family, and the named pipelines as models below the folder."""

    folder: Path
    names: tuple[str, ...] = tuple(TINY)

    @omnifex.hookimpl
    def register_modalities(self) -> list[omnifex.Modality[Any]]:
        return [Tensors()]

    @omnifex.hookimpl
    def register_families(self) -> list[omnifex.Family[Any]]:
        return [TinyFamily()]

    @omnifex.hookimpl
    def register_models(self) -> Iterator[omnifex.BuiltinModel]:
        for name in self.names:
            yield omnifex.BuiltinModel(name, save(name, self.folder / name))


def flat(value: Any) -> Tensor:
    """All numbers of an output in one row."""
    if isinstance(value, list | tuple):
        return torch.cat([flat(item) for item in value])
    return torch.as_tensor(np.asarray(value)).flatten().float()
