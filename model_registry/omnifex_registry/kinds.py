"""The design's roles, and which slot of a diffusers pipeline plays which."""

import re
from enum import StrEnum
from functools import cache


class Kind(StrEnum):
    """What a component does in a generation."""

    BACKBONE = "backbone"
    AUTOENCODER = "autoencoder"
    CONDITIONER = "conditioner"
    DECODER = "decoder"
    ADAPTER = "adapter"


# The slots of the pipelines of diffusers 0.42, without their numbers.
SLOTS: dict[Kind, str] = {
    Kind.BACKBONE: "backbone unet transformer prior super_res_first super_res_last",
    Kind.AUTOENCODER: "autoencoder vae vqvae movq vqgan vae_encoder vae_decoder sound_tokenizer "
    "audio_tokenizer",
    Kind.CONDITIONER: "conditioner encoder embedder connectors projection_model image_project "
    "text_proj qformer siglip bert language_model",
    Kind.DECODER: "decoder renderer vocoder melgan",
    Kind.ADAPTER: "adapter controlnet lora embedding",
}
_KINDS = {slot: kind for kind, slots in SLOTS.items() for slot in slots.split()}


@cache
def kind_of(role: str) -> Kind | None:
    """The kind of a slot by its name, else by its last word ("text_encoder_2", "audio_vae")."""
    slot = re.sub(r"_\d+$", "", role)
    return _KINDS.get(slot) or _KINDS.get(slot.rpartition("_")[2])
