"""Sprites: little creatures, alike on both sides, in the colour that the prompt names."""

from pathlib import Path

from PIL import ImageColor
from pydantic import Field

import omnifex
from omnifex_registry import allow_library

allow_library("omnifex.toy")  # our model's one component is a class of that module


class SpriteRequest(omnifex.Request):
    size: int = Field(default=8, ge=4, le=64, multiple_of=2, description="Blocks on a side.")


class Sprite(omnifex.Modality[SpriteRequest]):
    name, title, example_prompt = "sprite", "Sprite", "a red ghost"
    Request, default_model = SpriteRequest, "sprite-toy"
    formats, default_format = {"png": "image/png"}, "png"

    def encode(self, media, request, provenance):
        from omnifex_image.files import encode

        blocks = media.repeat(16, 0).repeat(16, 1)
        return [omnifex.File(encode(blocks, "png", provenance), "image/png", ".png")]


class SpriteFamily(omnifex.LatentFamily[SpriteRequest]):
    name = modality = "sprite"

    def recognises(self, model):
        return model.class_name == "SpritePipeline"

    def shape(self, request, model):
        return (3, request.size, request.size)

    def condition(self, job, request, model):
        import torch

        named = [word for word in request.prompt.lower().split() if word in ImageColor.colormap]
        if not named:
            job.note("the prompt names no colour; the sprite is white.")
        colour = torch.tensor(ImageColor.getrgb([*named, "white"][0]), device=job.device)
        half = job.randn((request.size, request.size // 2)) > 0
        body = torch.cat([half, half.flip(1)], 1)  # (H, W)
        return omnifex.Condition({"target": (body * colour.view(3, 1, 1))[None]})

    def decode(self, job, latents, request, model):
        return latents[0].permute(1, 2, 0).round().byte().cpu().numpy()  # (H, W, 3)


@omnifex.hookimpl
def register_modalities():
    return [Sprite()]


@omnifex.hookimpl
def register_families():
    return [SpriteFamily()]


@omnifex.hookimpl
def register_models():
    return [omnifex.BuiltinModel("sprite-toy", Path(__file__).parent / "model")]
