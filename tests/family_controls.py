"""What is asked of families beside other models: control networks, and adapters of their own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import lora_models
import pytest
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution as Gaussian
from family_case import BEGUN, CUBE, GUIDED, PICTURE, SHORT, SMALL, Case, Make, both
from family_models import Checkpoints

from omnifex_registry.adapters import adapter_file

Nets = Mapping[str, Mapping[str, float]]  # what is said of each network, by its name
DEPTH = {"scale": 0.4, "start": 0.2}


def drawn(make: Make, call: Mapping[str, Any], generator: torch.Generator) -> Any:
    """The pipeline, told which generator to draw what the network looks at from."""
    pipeline, draw = make("StableDiffusion3ControlNetPipeline"), Gaussian.sample
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gaussian, "sample", lambda found: draw(found, generator))
        return pipeline(**call, output_type="np", generator=generator).images[0]


def controlled(
    model: str,
    pipeline: str,
    looks: str,
    nets: Nets,
    by: Callable[..., Any] | None = None,
    words: Mapping[str, Any] = GUIDED,
    **asked: Any,
) -> Case:
    """`looks` is what the pipeline calls the pictures; a T2I-Adapter is looked at once."""
    told, several = both(**words, **SMALL, **asked), len(nets) > 1
    scales = [said.get("scale", 1.0) for said in nets.values()]
    call = {**told["call"], scale_of(pipeline): scales if several else scales[0]}
    for name, usual in (("start", 0.0), ("end", 1.0)):
        shares = [said.get(name, usual) for said in nets.values()]
        if any(name in said for said in nets.values()):
            call[f"control_guidance_{name}"] = shares if several else shares[0]
    control = [{"model": name, "image": "sha256:image", **said} for name, said in nets.items()]
    return Case(
        model,
        {**told["request"], "control": control},
        call,
        pipeline=pipeline,
        by=by,
        files=PICTURE if looks == "control_image" and "strength" in asked else (),
        beside=tuple(nets),
        looks=looks,
    )


def scale_of(pipeline: str) -> str:
    one = "adapter" if "Adapter" in pipeline else "controlnet"
    return f"{one}_conditioning_scale"


def pixel(models: Checkpoints, pipeline: Any) -> None:
    """Two LoRAs, as their user would load them."""
    names, weights = zip(*(one.values() for one in LORAS), strict=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")  # of the second
        for name in names:
            file = adapter_file(models.beside[name])
            pipeline.load_lora_weights(file.parent, weight_name=file.name, adapter_name=name)
    pipeline.set_adapters([*names], [*weights])


LORAS = [{"model": "pixel", "weight": 0.8}, {"model": "ink", "weight": -0.5}]
CONTROLS: Mapping[str, Case] = {
    "sd controlnet": controlled(
        "sd",
        "StableDiffusionControlNetPipeline",
        "image",
        {"canny-net": {"scale": 0.8, "end": 0.7}},
        steps=6,
    ),
    "sd controlnets": controlled(
        "sd",
        "StableDiffusionControlNetPipeline",
        "image",
        {"canny-net": {"scale": 0.8}, "depth-net": DEPTH},
        steps=6,
    ),
    "sd controlnet image": controlled(
        "sd",
        "StableDiffusionControlNetImg2ImgPipeline",
        "control_image",
        {"canny-net": {}},
        **BEGUN,
    ),
    "sdxl controlnet": controlled(
        "sdxl", "StableDiffusionXLControlNetPipeline", "image", {"canny-xl": {}}, steps=6
    ),
    "sd t2i-adapter": controlled(
        "sd-attentive",
        "StableDiffusionAdapterPipeline",
        "image",
        {"colours": {"scale": 0.9}},
        steps=6,
    ),
    "sd t2i-adapters": controlled(
        "sd-attentive",
        "StableDiffusionAdapterPipeline",
        "image",
        {"colours": {"scale": 0.9}, "tints": {"scale": 0.5}},
        steps=6,
    ),
    "sd3 controlnet": controlled(
        "sd3",
        "StableDiffusion3ControlNetPipeline",
        "control_image",
        {"canny-sd3": {"scale": 0.7}},
        by=drawn,
        steps=6,
        **SHORT,
    ),
    "sd3 controlnets": controlled(
        "sd3",
        "StableDiffusion3ControlNetPipeline",
        "control_image",
        {"canny-sd3": {"scale": 0.7}, "depth-sd3": DEPTH},
        by=drawn,
        steps=6,
        **SHORT,
    ),
    "flux controlnet": controlled(
        "flux",
        "FluxControlNetPipeline",
        "control_image",
        {"canny-flux": {"scale": 0.7}},
        words={**CUBE, "guidance": 3.0},
        steps=6,
        **SHORT,
    ),
    "flux controlnets": controlled(
        "flux",
        "FluxControlNetPipeline",
        "control_image",
        {"canny-flux": {"scale": 0.7}, "depth-flux": DEPTH},
        words={**CUBE, "guidance": 3.0},
        steps=6,
        **SHORT,
    ),
    "sd loras": Case(
        "sd",
        {**GUIDED, **SMALL, "steps": 6, "lora": LORAS},
        both(**GUIDED, **SMALL, steps=6)["call"],
        beside=("pixel", "ink"),
        load=pixel,
    ),
}


def loras(models: Checkpoints) -> None:
    """The two in the registry of the models' workbench."""
    ranks = {"pixel": (1, 2, ["to_q", "to_v"]), "ink": (2, 4, ["to_k", "to_out.0", "conv1"])}
    for name, (seed, rank, layers) in ranks.items():
        if name not in models.beside:
            weights = lora_models.changes(models["sd"], "unet", seed, rank, layers)
            file = lora_models.saved(models.folder / f"{name}-files", weights)
            models.beside[name] = lora_models.add(models, file, name)
