"""ControlNet (Zhang et al. 2023) and T2I-Adapter (Mou et al. 2023) in a model's pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnifex import InvalidRequest
from omnifex.model_config import backbone_config, component_config
from omnifex.pictures import Size, fitted, opened, rounded
from omnifex_image.control.item import Control

if TYPE_CHECKING:
    from PIL.Image import Image

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex.signatures import Signature
    from omnifex_registry import Component, Model

# By the class of a network: the pipelines that it joins, and those that they then become.
CONTROLLED: Mapping[str, Mapping[str, str]] = {
    "ControlNetModel": {
        "StableDiffusionPipeline": "StableDiffusionControlNetPipeline",
        "StableDiffusionImg2ImgPipeline": "StableDiffusionControlNetImg2ImgPipeline",
        "StableDiffusionInpaintPipeline": "StableDiffusionControlNetInpaintPipeline",
        "StableDiffusionXLPipeline": "StableDiffusionXLControlNetPipeline",
        "StableDiffusionXLImg2ImgPipeline": "StableDiffusionXLControlNetImg2ImgPipeline",
        "StableDiffusionXLInpaintPipeline": "StableDiffusionXLControlNetInpaintPipeline",
    },
    "FluxControlNetModel": {
        "FluxPipeline": "FluxControlNetPipeline",
        "FluxImg2ImgPipeline": "FluxControlNetImg2ImgPipeline",
        "FluxInpaintPipeline": "FluxControlNetInpaintPipeline",
    },
    "SD3ControlNetModel": {"StableDiffusion3Pipeline": "StableDiffusion3ControlNetPipeline"},
    "T2IAdapter": {
        "StableDiffusionPipeline": "StableDiffusionAdapterPipeline",
        "StableDiffusionXLPipeline": "StableDiffusionXLAdapterPipeline",
    },
}
PIPELINES = frozenset(name for joined in CONTROLLED.values() for name in joined.values())
# What the config of a network has in common with that of the backbone that it was trained beside.
SHAPES = (
    "cross_attention_dim",
    "block_out_channels",
    "addition_embed_type",
    "joint_attention_dim",
    "attention_head_dim",
    "num_attention_heads",
)


def network(model: Model, name: str) -> Component:
    """The control network that is registered under this name; refuses what is none."""
    other = model.others[name]
    for part in other.components.values():
        if part.class_name in CONTROLLED:
            return part
    raise InvalidRequest(
        f"control {name!r} is a {other.class_name}, which is no control network; "
        f"give one of these: {', '.join(CONTROLLED)}."
    )


def controlled(plain: str, control: Sequence[Control], model: Model) -> str:
    """The pipeline that does what the plain one does, looking at the pictures of control too."""
    if not control:
        return plain
    first = network(model, control[0].model)
    for one in control:
        part = network(model, one.model)
        if plain not in CONTROLLED[part.class_name]:
            raise InvalidRequest(
                f"control {one.model!r} ({part.class_name}) does not fit model {model.name!r}, "
                f"which is asked for a {plain}; it joins {', '.join(CONTROLLED[part.class_name])}."
            )
        if part.class_name != first.class_name:
            raise InvalidRequest(
                f"control {control[0].model!r} ({first.class_name}) and {one.model!r} "
                f"({part.class_name}) cannot be used together; give several of one kind."
            )
    return CONTROLLED[first.class_name][plain]


def check(control: Sequence[Control], model: Model) -> None:
    """Refuse networks that were trained beside a backbone of another shape."""
    for one in control:
        part = network(model, one.model)
        demand_fit(one.model, component_config(model.others[one.model], part.role), model)
        if part.class_name == "T2IAdapter" and (one.start, one.end) != (0, 1):
            raise InvalidRequest(
                f"control {one.model!r} is a T2I-Adapter, which is looked at once, before the "
                "first step; leave its start and end out."
            )


def demand_fit(name: str, config: Mapping[str, Any], model: Model) -> None:
    backbone = backbone_config(model)
    if "adapter_type" in config:
        config = {"block_out_channels": features(config)}
    for key in SHAPES:
        theirs, ours = config.get(key), backbone.get(key)
        if theirs != ours and None not in (theirs, ours):
            raise InvalidRequest(
                f"control {name!r} does not fit model {model.name!r}: its {key} is {theirs}, and "
                f"that of the model {ours}; choose a network made for this kind of model."
            )


def features(config: Mapping[str, Any]) -> list[int]:
    """The widths of a T2I-Adapter's features; for SDXL, the last two are for one block."""
    widths = list(config["channels"])
    return widths[:-1] if config["adapter_type"] == "full_adapter_xl" else widths


def modules(control: Sequence[Control], model: LoadedModel) -> dict[str, Any]:
    """The networks, in the slot of the pipeline that they belong to."""
    parts = [network(model.record, one.model) for one in control]
    held = [
        model.other(one.model).module(part.role) for one, part in zip(control, parts, strict=True)
    ]
    slot = "adapter" if parts[0].class_name == "T2IAdapter" else "controlnet"
    return {slot: alone(held)}


def arguments(
    job: JobContext,
    control: Sequence[Control],
    model: LoadedModel,
    signature: Signature,
    size: Size | None,
    multiple: int,
) -> dict[str, Any]:
    """What the pipeline is told of control: pictures of this size or else of the first one's."""
    pictures = [opened(job.input(one.image)) for one in control]
    size = size or rounded(pictures[0].size, multiple)
    drawn = [look(one, fitted(p, size), model) for one, p in zip(control, pictures, strict=True)]
    scales = alone([one.scale for one in control])
    values = {
        "control_image" if "control_image" in signature else "image": alone(drawn),
        "controlnet_conditioning_scale": scales,
        "adapter_conditioning_scale": scales,
        "control_guidance_start": alone([one.start for one in control]),
        "control_guidance_end": alone([one.end for one in control]),
        "width": size[0],
        "height": size[1],
    }
    return {name: value for name, value in values.items() if name in signature}


def look(one: Control, picture: Image, model: LoadedModel) -> Image:
    """The picture as the network is to see it."""
    if one.preprocess is not None:
        picture = preprocessed(picture, one.preprocess)
    part = network(model.record, one.model)
    channels = component_config(model.record.others[one.model], part.role).get("in_channels")
    grey = part.class_name == "T2IAdapter" and channels == 1
    return picture.convert("L") if grey else picture


def preprocessed(picture: Image, name: str) -> Image:
    import numpy as np
    from PIL import Image

    from omnifex_image.control.preprocess import PREPROCESSORS

    return Image.fromarray(PREPROCESSORS[name](np.asarray(picture)))


def alone(values: list[Any]) -> Any:
    """Pipelines take one as it is, and several in a list."""
    return values[0] if len(values) == 1 else values
