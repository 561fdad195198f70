"""IP-Adapter (Ye et al. 2023) in a model's pipeline: a picture says what is to be made.

Its file is told by its header, where there is no torch. The engine switches it on for the job's
calls of the UNet; the image encoder is a component like any other, of the adapter or the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnifex import InvalidRequest
from omnifex.model_config import backbone_config, component_config
from omnifex.pictures import opened
from omnifex.signatures import bases_of, signature_of
from omnifex_image.control.item import ImagePrompt
from omnifex_registry.adapters import adapter_file, layers_of
from omnifex_registry.headers import TensorInfo, read_header

if TYPE_CHECKING:
    from omnifex.engine.adapters.adapter import ImagePrompt as Adapter
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Component, Model

ENCODER, EXTRACTOR = "image_encoder", "feature_extractor"
# Which tensor of a kind of IP-Adapter takes the encoder's output, and what of it.
KINDS: Mapping[str, tuple[str, str]] = {
    "proj.weight": ("proj.weight", "projection_dim"),
    "proj.3.weight": ("proj.0.weight", "hidden_size"),  # a whole face
    "latents": ("proj_in.weight", "hidden_size"),  # Plus
}


def check(prompts: Sequence[ImagePrompt], pipeline: str, model: Model) -> None:
    """Refuse what is no IP-Adapter, or was made for another model or another image encoder."""
    signature = signature_of(pipeline)
    takes = "IPAdapterMixin" in bases_of(pipeline) and "unet" in model.components
    if prompts and (signature is None or "ip_adapter_image" not in signature or not takes):
        raise InvalidRequest(
            f"model {model.name!r} cannot use image_prompt: a {pipeline} takes none; "
            "leave it out or choose another model."
        )
    for one in prompts:
        demand_fit(one.model, model)
    encoders = {encoder_of(one.model, model)[1].id: one.model for one in prompts}
    if len(encoders) > 1:
        first, second, *_ = encoders.values()
        raise InvalidRequest(
            f"image_prompt {first!r} and {second!r} cannot be used together: they look at "
            "pictures through different image encoders; give several of one encoder."
        )


def demand_fit(name: str, model: Model) -> None:
    other = model.others[name]
    if other.class_name != "IPAdapter":
        raise InvalidRequest(
            f"image_prompt {name!r} is a {other.class_name}, which is no IP-Adapter; "
            "omnifex models lists those that are there."
        )
    source, encoder = encoder_of(name, model)
    if why := misfit(read_header(adapter_file(other)), source, encoder, model):
        raise InvalidRequest(
            f"image_prompt {name!r} does not fit model {model.name!r}: {why}; "
            "choose one made for this kind of model."
        )


def misfit(
    tensors: Mapping[str, TensorInfo], source: Model, encoder: Component, model: Model
) -> str | None:
    """Why the file is not for this UNet and this encoder; None where it is."""
    kind = next((kind for kind in KINDS if f"image_proj.{kind}" in tensors), None)
    if kind is None or any(name.endswith("_lora.down.weight") for name in tensors):
        return "it is told by a face's identity, which takes a model of faces that is not there"
    keys = [info for name, info in tensors.items() if name.endswith("to_k_ip.weight")]
    own = backbone_config(model).get("cross_attention_dim")
    if keys and own is not None and keys[0].shape[1] != own:
        return f"its words are {keys[0].shape[1]} numbers each, and those of the model {own}"
    layers = layers_of(model.components["unet"])
    wide = sorted(width for layer, width in layers.items() if layer.endswith("attn2.to_q"))
    if layers and sorted(info.shape[0] for info in keys) != wide:
        return "its layers of attention to words are of other numbers or sizes than the model's"
    tensor, size = KINDS[kind]
    width = tensors[f"image_proj.{tensor}"].shape[1]
    given = component_config(source, encoder.role).get(size)
    if given is not None and width != given:
        return f"it takes {width} numbers of a picture, and its image encoder gives {given}"
    return None


def encoder_of(name: str, model: Model) -> tuple[Model, Component]:
    """What the adapter looks at pictures through: its own encoder, or else the model's."""
    for source in (model.others[name], model):
        if ENCODER in source.components:
            return source, source.components[ENCODER]
    raise InvalidRequest(
        f"image_prompt {name!r} has no image encoder, and model {model.name!r} has none; add it "
        "again from a folder with an image_encoder beside the file, or with --base of a model "
        "that has one."
    )


# In a job


def in_order(prompts: Sequence[ImagePrompt], model: Model) -> dict[str, ImagePrompt]:
    """Those that have something to say, by ids, as the engine orders them; one may come twice."""
    seen: Counter[str] = Counter()
    found = {}
    for one in prompts:
        if one.scale:
            (part,) = (p for p in model.others[one.model].components.values() if p.role != ENCODER)
            seen[part.id] += 1
            found[f"{part.id}#{seen[part.id]}"] = one
    return dict(sorted(found.items()))


def adapters(prompts: Sequence[ImagePrompt], model: LoadedModel) -> list[Adapter]:
    """What the engine switches on for the job's calls of the UNet."""
    from omnifex.engine.adapters.adapter import ImagePrompt as Adapter

    record = model.record
    return [
        Adapter(id_, adapter_file(record.others[one.model]), one.scale)
        for id_, one in in_order(prompts, record).items()
    ]


def modules(prompts: Sequence[ImagePrompt], model: LoadedModel) -> dict[str, Any]:
    """What the pipeline looks at pictures with, and a UNet that says how it is told of them."""
    chosen = list(in_order(prompts, model.record).values())
    if not chosen:
        return {}
    source, _ = encoder_of(chosen[0].model, model.record)
    held = model if source.name == model.record.name else model.other(source.name)
    unet = model.module("unet")
    unet.__dict__["encoder_hid_proj"] = projections(chosen, model.record)  # of this job's alone
    found = {"unet": unet, ENCODER: held.module(ENCODER)}
    return found if EXTRACTOR in model.record.components else found | extractor(source)


def extractor(source: Model) -> dict[str, Any]:
    """As diffusers' `load_ip_adapter` makes one for an encoder that comes without."""
    from transformers import CLIPImageProcessor

    side = component_config(source, ENCODER).get("image_size", 224)  # CLIP's own
    return {EXTRACTOR: CLIPImageProcessor(size=side, crop_size=side)}


def projections(chosen: Sequence[ImagePrompt], model: Model) -> Any:
    """As much of the adapters as a pipeline looks at: which of the encoder's outputs each takes."""
    import torch
    from diffusers.models.embeddings import ImageProjection, MultiIPAdapterImageProjection

    with torch.device("meta"):
        names = [read_header(adapter_file(model.others[one.model])) for one in chosen]
        layers = [
            ImageProjection(1, 1, 1) if "image_proj.proj.weight" in found else torch.nn.Identity()
            for found in names
        ]
        return MultiIPAdapterImageProjection(layers)


def pictures(job: JobContext, prompts: Sequence[ImagePrompt], model: LoadedModel) -> dict[str, Any]:
    """What the pipeline is told: a picture for each adapter."""
    chosen = in_order(prompts, model.record).values()
    seen = [opened(job.input(one.image)) for one in chosen]
    return {"ip_adapter_image": seen} if seen else {}
