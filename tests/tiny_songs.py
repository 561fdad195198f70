"""More tiny pipelines that make sounds, some as they are released; and all, as families' models."""

from collections.abc import Callable, Mapping
from typing import Any

import diffusers
import tiny_sounds as sounds
import tiny_tokenizers as tokenizers
import transformers
from diffusers.pipelines.ace_step.modeling_ace_step import (
    AceStepAudioTokenDetokenizer,
    AceStepAudioTokenizer,
)
from tiny_parts import autoencoder, changed, ddim, over, unet, vocoder


def stable_audio() -> Any:
    """With the scheduler of the released model, whose noise is a Brownian tree."""
    scheduler = diffusers.CosineDPMSolverMultistepScheduler(prediction_type="v_prediction")
    return over(diffusers.StableAudioPipeline, sounds.stable_audio(), scheduler=scheduler)


def ace_cover() -> Any:
    """With what turns a sound into tokens and back, as covers need it."""
    layers = {"num_attention_pooler_hidden_layers": 1, "audio_acoustic_hidden_dim": 8}
    listener = AceStepAudioTokenizer(
        **sounds.HEADS, **layers, fsq_dim=32, fsq_input_levels=[8, 5, 5]
    )
    base = sounds.ace_step()
    return over(
        diffusers.AceStepPipeline,
        base,
        vae=changed(base.vae, encoder_hidden_size=16),
        audio_tokenizer=listener,
        audio_token_detokenizer=AceStepAudioTokenDetokenizer(**sounds.HEADS, **layers),
    )


def musicldm() -> Any:
    return diffusers.MusicLDMPipeline(
        vae=autoencoder(channels=1, groups=8),
        text_encoder=sounds.clap(),
        tokenizer=tokenizers.roberta(),
        feature_extractor=None,
        unet=unet(
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            cross_attention_dim=(8, 16),
            class_embed_type="simple_projection",
            projection_class_embeddings_input_dim=16,
            class_embeddings_concat=True,
        ),
        scheduler=ddim(set_alpha_to_one=False),
        vocoder=vocoder(),
    )


def audioldm() -> Any:
    """Of no family: what the one for any pipeline is for."""
    base, clap = musicldm(), sounds.clap()
    text = transformers.ClapTextModelWithProjection(clap.config.text_config)
    return over(diffusers.AudioLDMPipeline, base, text_encoder=text)


MODELS: Mapping[str, Callable[[], Any]] = {
    "stable-audio": stable_audio,
    "audioldm2": sounds.audioldm2,
    "ace-step": sounds.ace_step,
    "ace-step-cover": ace_cover,
    "musicldm": musicldm,
    "audioldm": audioldm,
}
