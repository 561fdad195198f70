"""Tiny pipelines that solids are made with, as families' models."""

from collections.abc import Callable, Mapping
from typing import Any

import diffusers
import tiny_images as images
import tiny_sounds as sounds
import transformers
from tiny_parts import awakened, changed, over
from torch import nn


def shap_e() -> Any:
    """With a network whose field has an inside and an outside."""
    pipeline = sounds.shap_e()
    awakened(pipeline.shap_e_renderer.mlp, 0.5)
    return pipeline


def shap_e_image() -> Any:
    """From what CLIP sees in a picture, as one vector for each patch."""
    base = shap_e()
    seen = transformers.CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        image_size=16,
        patch_size=8,
    )
    prior = changed(base.prior, embedding_proj_norm_type="layer", num_embeddings=32)
    nn.init.ones_(prior.clip_std)
    return over(
        diffusers.ShapEImg2ImgPipeline,
        base,
        prior=prior,
        image_encoder=transformers.CLIPVisionModel(seen),
        image_processor=transformers.CLIPImageProcessorPil(
            size=16, crop_size=16, do_center_crop=True, do_resize=True
        ),
    )


MODELS: Mapping[str, Callable[[], Any]] = {
    "shap-e": shap_e,
    "shap-e-image": shap_e_image,
    "relief": images.marigold,
}
