"""The solid that a latent of Shap-E stands for, as a field of distances and colours.

The renderer of diffusers writes a solid's weights into its own network, which jobs share; here each
solid has a network of its own. Its tables for marching cubes are not needed either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers.pipelines.shap_e.renderer import MLPNeRSTFModel
from torch import Tensor, nn

if TYPE_CHECKING:
    from omnifex.engine.model import ComponentHandle

SETTINGS = ("d_hidden", "n_output", "n_hidden_layers", "act_fn", "insert_direction_at")
POINTS = 1 << 15  # at once


def field_of(latents: Tensor, renderer: ComponentHandle) -> nn.Module:
    """The network of latents (1, T, C): some layers are projected from them, others are shared."""
    settings = {name: renderer.config[name] for name in SETTINGS if name in renderer.config}
    with torch.device("meta"):
        network: nn.Module = MLPNeRSTFModel(**settings)
    own: Mapping[str, Tensor] = renderer.params_proj(latents)
    weights = {
        name: own[f"nerstf.{name}"].squeeze(0)
        if f"nerstf.{name}" in own
        else getattr(renderer, f"mlp.{name}.clone")()
        for name in network.state_dict()
    }
    network.load_state_dict(weights, assign=True)
    return network.float().eval()


def sampled(
    network: nn.Module, resolution: int, device: torch.device, check: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (D, H, W), negative inside, and colours (D, H, W, 3) in 0..1, y upward.

    Shap-E's own axes have z upward, and its distances are positive inside.
    """
    axis = torch.linspace(-1, 1, resolution, device=device)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(1, -1, 3)
    found: list[Any] = []
    for some in torch.split(points, POINTS, dim=1):
        check()
        asked = {"position": some, "direction": None, "ts": None}
        out = network(**asked, nerf_level="fine", rendering_mode="stf")
        found.append(torch.cat([-out.signed_distance, out.channels], dim=-1)[0].cpu())
    field = torch.cat(found).reshape(resolution, resolution, resolution, 4).numpy()  # (x, y, z)
    upright = np.ascontiguousarray(field.transpose(1, 2, 0, 3)[::-1])  # (-y, z, x)
    return upright[..., 0], upright[..., 1:]
