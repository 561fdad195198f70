"""Stable Diffusion 3 with a ControlNet, whose picture is drawn from the request's own generator."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import StableDiffusion3ControlNetPipeline


class SeededControlNetPipeline(StableDiffusion3ControlNetPipeline):  # type: ignore[misc]  # untyped
    """diffusers 0.42 draws the latents of `control_image` from the generator of the whole process.

    The same seed would then give another picture each time.
    """

    def __call__(self, *args: Any, generator: torch.Generator, **kwargs: Any) -> Any:
        encode = self.vae.encode

        def encoded(*given: Any, **told: Any) -> Any:
            output = encode(*given, **told)
            draw = output.latent_dist.sample
            output.latent_dist.sample = lambda: draw(generator)
            return output

        self.vae.__dict__["encode"] = encoded  # of the job's own stand-in
        return super().__call__(*args, generator=generator, **kwargs)
