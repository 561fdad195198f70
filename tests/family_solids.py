"""What is asked of each family of solids."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from family_case import CUBE, MILD, PICTURE, Case, Make, both
from trimesh import Trimesh

from omnifex_mesh.marching import surface
from omnifex_mesh.reliefs import relief

POINTS = 16


def shaped(make: Make, call: Mapping[str, Any], generator: torch.Generator) -> Trimesh:
    """The field as the renderer of diffusers fills it in, by the weights that it copies."""
    pipeline = make("ShapEImg2ImgPipeline" if "image" in call else "ShapEPipeline")
    latents = pipeline(**call, output_type="latent", generator=generator).images
    renderer = copy.deepcopy(pipeline.shap_e_renderer)
    projected = renderer.params_proj(latents)
    for name, weight in renderer.mlp.state_dict().items():
        if f"nerstf.{name}" in projected:
            weight.copy_(projected[f"nerstf.{name}"].squeeze(0))
    axis = torch.linspace(-1, 1, POINTS)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(1, -1, 3)
    out = renderer.mlp(
        position=points, direction=None, ts=None, nerf_level="fine", rendering_mode="stf"
    )
    inside = out.signed_distance.reshape(POINTS, POINTS, POINTS).numpy()
    colours = out.channels.reshape(POINTS, POINTS, POINTS, 3).numpy()
    return surface(  # z is up there
        -inside.transpose(1, 2, 0)[::-1], colours.transpose(1, 2, 0, 3)[::-1]
    )


def raised(make: Make, call: Mapping[str, Any], generator: torch.Generator) -> Trimesh:
    depth = make("MarigoldDepthPipeline")(**call, output_type="np", generator=generator).prediction
    return relief(depth[0, ..., 0], call["image"], 256, 0.25)


def solid(model: str, **asked: Any) -> Case:
    told = both(steps=4, **asked)
    request = {**told["request"], "extra": {"resolution": POINTS}}
    files = () if "prompt" in asked else PICTURE
    return Case(
        model,
        request,
        told["call"],
        files=files,
        modality="mesh",
        by=shaped,
        chaotic=True,  # its colours are whole numbers, and rounding may tip one over
    )


SOLIDS: Mapping[str, Case] = {
    "shap-e": solid("shap-e", **CUBE, **MILD),
    "shap-e image": solid("shap-e-image", **MILD),
    "relief": Case(
        "relief",
        **both(steps=4, extra={"processing_resolution": 0}),
        files=PICTURE,
        modality="mesh",
        by=raised,
    ),
}
