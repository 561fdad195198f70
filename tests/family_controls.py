"""What is asked of families beside other models: control networks, and adapters of their own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
import transformers
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution as Gaussian
from family_case import BEGUN, CUBE, GUIDED, PICTURE, SHORT, SMALL, Case, Make, both
from family_models import Checkpoints
from safetensors.torch import load_file

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


LORAS = [{"model": "pixel", "weight": 0.8}, {"model": "ink", "weight": -0.5}]
SAYING = {"prompt": "a <cat> beside a dog, red", "negative_prompt": "<cat> dog", "guidance": 5.0}


def with_loras(models: Checkpoints, pipeline: Any) -> None:
    """Both LoRAs, as their user would load them."""
    names, weights = zip(*(one.values() for one in LORAS), strict=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")  # of the second
        for name in names:
            file = adapter_file(models.beside[name])
            pipeline.load_lora_weights(file.parent, weight_name=file.name, adapter_name=name)
    pipeline.set_adapters([*names], [*weights])


def with_words(models: Checkpoints, pipeline: Any) -> None:
    """A word of one row, which its file calls <cat>, and one of three."""
    for name, word in (("cat", None), ("dog", "dog")):
        file = adapter_file(models.beside[name])
        pipeline.load_textual_inversion(file.parent, weight_name=file.name, token=word)


def with_words_for_two(models: Checkpoints, pipeline: Any) -> None:
    """As the documentation of diffusers loads a word into the encoders of SDXL."""
    rows = load_file(adapter_file(models.beside["cat-xl"]))
    for number, name in (("", "clip_l"), ("_2", "clip_g")):
        pipeline.load_textual_inversion(
            rows[name],
            token="<cat>",
            text_encoder=getattr(pipeline, f"text_encoder{number}"),
            tokenizer=getattr(pipeline, f"tokenizer{number}"),
        )


def with_pictures(*prompts: Mapping[str, Any]) -> Callable[..., None]:
    """IP-Adapters over the image encoder that the engine has."""

    def load(models: Checkpoints, pipeline: Any) -> None:
        chosen = [models.beside[one["model"]] for one in prompts]
        encoder = models.bench.engine.residency.bring(chosen[0].components["image_encoder"])
        extractor = transformers.CLIPImageProcessor(size=32, crop_size=32)
        pipeline.register_modules(image_encoder=encoder, feature_extractor=extractor)
        files = [adapter_file(model) for model in chosen]
        pipeline.load_ip_adapter(
            [str(file.parent) for file in files],
            subfolder="",
            weight_name=[file.name for file in files],
        )
        pipeline.set_ip_adapter_scale([one["scale"] for one in prompts])

    return load


def prompted(model: str, *prompts: Mapping[str, Any], **asked: Any) -> Case:
    """The pictures in the order of their adapters' ids, as the engine has them."""
    told = both(**GUIDED, **SMALL, **asked)
    shown = [{**one, "image": "sha256:image"} for one in prompts]
    return Case(
        model,
        {**told["request"], "image_prompt": shown},
        told["call"],
        beside=tuple(one["model"] for one in prompts),
        looks="ip_adapter_image",
        load=with_pictures(*prompts),
    )


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
        load=with_loras,
    ),
    "sd words": Case(
        "sd",
        {**SAYING, **SMALL, "steps": 6, "embedding": [{"model": "cat"}, {"model": "dog"}]},
        both(**SAYING, **SMALL, steps=6)["call"],
        beside=("cat", "dog"),
        load=with_words,
    ),
    "sdxl words": Case(
        "sdxl",
        {**SAYING, **SMALL, "steps": 6, "embedding": [{"model": "cat-xl", "word": "<cat>"}]},
        both(**SAYING, **SMALL, steps=6)["call"],
        beside=("cat-xl",),
        load=with_words_for_two,
    ),
    "sd image prompt": prompted("sd", {"model": "ip", "scale": 0.6}, steps=6),
    "sd image prompt plus": prompted("sd", {"model": "ip-plus", "scale": 0.8}, steps=6),
    "sdxl image prompt": prompted("sdxl", {"model": "ip-xl", "scale": 0.6}, steps=6),
}
