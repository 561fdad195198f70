"""ACE-Step's pipeline, with the sound that is covered drawn from the request's own generator."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AceStepPipeline


class SeededAceStepPipeline(AceStepPipeline):  # type: ignore[misc]  # diffusers is untyped
    """diffusers 0.42 draws the latents of `src_audio` from the generator of the whole process.

    The same seed would then give another sound each time.
    """

    def __call__(self, *args: Any, generator: torch.Generator, **kwargs: Any) -> Any:
        self._own_generator = generator
        return super().__call__(*args, generator=generator, **kwargs)

    def prepare_src_latents(
        self, device: Any, dtype: Any, batch_size: int, src_audio: Any = None, **other: Any
    ) -> Any:
        if src_audio is None:
            return super().prepare_src_latents(device, dtype, batch_size, **other)
        sound = src_audio[None].to(device=device, dtype=self.vae.dtype)
        drawn = self.vae.encode(sound).latent_dist.sample(self._own_generator)
        latents = drawn.transpose(1, 2).to(dtype=dtype)  # (1, T, C)
        silence = self.condition_encoder.silence_latent.to(device=device, dtype=dtype)
        quantized, _ = self.audio_tokenizer.tokenize(latents, silence)
        cover = self.audio_token_detokenizer(quantized.to(device=device, dtype=dtype))
        length = latents.shape[1]
        return cover[:, :length].contiguous(), length
