"""The door between a backbone and the loop: fp32 latents and one time in, an fp32 tensor out.

Whatever a backbone computes in and returns is settled here, so that no sampler asks. What a
*prediction* means is the sampler's currency: velocity for flow matching, noise or v for latent
diffusion, whose conversions diffusers' schedulers make themselves (and stay exact where α → 0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Backbone = Callable[..., Any]
Predict = Callable[[Tensor, float | Tensor, Mapping[str, Any]], Tensor]


def through_the_door(backbone: Backbone) -> Predict:
    """`predict(x, t, condition)` by `backbone(latents, timestep, **condition)`.

    x is (B, C, …), t one time for all rows. The backbone gets x in its own dtype and t as (B,), and
    may return a tensor, a tuple that begins with it, or an object with `.sample`.
    """
    dtype = getattr(backbone, "dtype", torch.float32)

    def predict(x: Tensor, t: float | Tensor, condition: Mapping[str, Any]) -> Tensor:
        timestep = torch.as_tensor(t, device=x.device).expand(x.shape[0])  # (B,)
        return tensor_of(backbone(x.to(dtype), timestep, **condition)).to(x.dtype)

    return predict


def tensor_of(output: Any) -> Tensor:
    """The prediction in a backbone's output."""
    if isinstance(output, tuple):
        output = output[0]
    found: Tensor = output if isinstance(output, Tensor) else output.sample
    return found
