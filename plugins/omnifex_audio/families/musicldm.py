"""MusicLDM (Chen et al. 2023): a UNet over log-mel latents, told what CLAP makes of the words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex_audio.families.sounds import AudioFamily
from omnifex_audio.modality import AudioRequest

if TYPE_CHECKING:
    from torch import Tensor

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel


class MusicLDM(AudioFamily):
    """Reads the prompt for the pipeline, which diffusers 0.42 keeps but does not mend.

    CLAP's `get_text_features` returns an output since transformers 5 (huggingface/transformers
    #42564), where the pipeline expects a tensor.
    """

    name = "musicldm"
    pipelines = ("MusicLDMPipeline",)

    def arguments(
        self, job: JobContext, request: AudioRequest, model: LoadedModel
    ) -> Mapping[str, Any]:
        found = {**super().arguments(job, request, model)}
        prompt, negative = found.pop("prompt"), found.pop("negative_prompt", "")
        found["prompt_embeds"] = features(job, model, prompt)
        if found.get("guidance_scale", 1.0) > 1:
            found["negative_prompt_embeds"] = features(job, model, negative)
        return found


def features(job: JobContext, model: LoadedModel, words: str) -> Tensor:
    """What CLAP makes of the words, (1, C)."""
    tokenizer = model.fresh("tokenizer")
    tokens = tokenizer(
        [words],
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).to(job.device)
    found = model["text_encoder"].get_text_features(
        tokens.input_ids, attention_mask=tokens.attention_mask
    )
    embedding: Tensor = found.pooler_output
    return embedding
