"""LoRA in requests: which files change a model's backbone, and whether they are made for it.

That is told by the headers of the files, where there is no torch. A job has their weights renamed
by diffusers' own loader of its pipeline, where trainers name them in another way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from omnifex.errors import InvalidRequest
from omnifex.model_config import backbone_config
from omnifex.request import Lora
from omnifex.signatures import bases_of
from omnifex_registry import Component, Model
from omnifex_registry.adapters import adapter_file, layers_of, lora_layers

if TYPE_CHECKING:
    from omnifex.engine.adapters.adapter import Adapter

# What the class of the backbone begins with in a base family, and how wide its text is.
BASES: Mapping[str, tuple[str, int | None]] = {
    "sd15": ("UNet2DCondition", 768),
    "sd2": ("UNet2DCondition", 1024),
    "sdxl": ("UNet2DCondition", 2048),
    "sd3": ("SD3", None),
    "flux": ("Flux", None),
    "wan": ("Wan", None),
}
SPELT_OUT = ("unet.", "transformer.")  # by diffusers' own names, which are those of the model
OF_TEXT = ("text_encoder", "lora_te")
WRAPPED = re.compile(r"^(base_model\.model\.|diffusion_model\.|unet\.|transformer\.|lora_unet_)")


def check(loras: Sequence[Lora], model: Model) -> list[str]:
    """Refuse what is no LoRA or is for another model; say what of them is left out."""
    left_out = (demand_fit(one.model, model) for one in loras)
    return [note for note in left_out if note]


def adapters(loras: Sequence[Lora], model: Model) -> dict[str, list[Adapter]]:
    """What the engine switches on for the job's calls, by the slot of the component."""
    if not loras:
        return {}
    from omnifex.engine.adapters.adapter import Adapter

    part = backbone(model)
    assert part is not None, "a model without a backbone has refused them"
    chosen = []
    for one in loras:
        (weights,) = model.others[one.model].components.values()
        path = adapter_file(model.others[one.model])
        chosen.append(Adapter(weights.id, path, one.weight, model.class_name))
    return {part.role: chosen}


def demand_fit(name: str, model: Model) -> str | None:
    """Refuse it, or say what of it is left out."""
    if model.others[name].class_name != "LoRA":
        raise InvalidRequest(
            f"lora {name!r} is a {model.others[name].class_name}, which is no LoRA; "
            "omnifex models lists those that are there."
        )
    part = backbone(model)
    loaders = [base for base in bases_of(model.class_name) if base.endswith("LoraLoaderMixin")]
    if part is None or not loaders:
        raise InvalidRequest(
            f"model {model.name!r} cannot use lora: a {model.class_name} takes none; "
            "leave it out or choose another model."
        )
    given = lora_layers(model.others[name])
    wanted = {layer: width for layer, width in given.items() if not layer.startswith(OF_TEXT)}
    if why := misfit(wanted, part, model, model.others[name].config.get("base")):
        raise InvalidRequest(
            f"lora {name!r} does not fit model {model.name!r}: {why}; "
            "choose one made for this kind of model."
        )
    if len(wanted) < len(given):
        return f"what lora {name!r} has for the text encoder is left out"
    return None


def misfit(given: Mapping[str, int], part: Component, model: Model, base: str | None) -> str | None:
    """Why the layers of a LoRA are not those of the component; None where they are."""
    if not given:
        return f"it changes nothing of the {part.role}"
    own = {plain(layer): width for layer, width in layers_of(part).items()}
    common = {layer: width for layer, width in given.items() if plain(layer) in own}
    for layer, width in common.items():
        if width != own[plain(layer)]:
            return f"its {layer} takes {width} numbers, and that of the model {own[plain(layer)]}"
    if common:
        return None
    kind, text = BASES.get(base or "", ("", None))
    text_width = backbone_config(model).get("cross_attention_dim")
    if not part.class_name.startswith(kind) or text not in (None, text_width):
        return f"it is made for {base}"
    if own and any(layer.startswith(SPELT_OUT) for layer in given):
        return f"the {part.role} of the model has none of the layers that it changes"
    return None


def plain(layer: str) -> str:
    """The layer as Kohya's trainer names it, whoever named it."""
    return WRAPPED.sub("", layer).replace(".processor.", ".").replace(".", "_")


def backbone(model: Model) -> Component | None:
    return model.components.get("transformer") or model.components.get("unet")
