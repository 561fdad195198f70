"""Tiny pipelines that make sounds, and one that makes solids."""

from typing import Any

import diffusers
import tiny_tokenizers as tokenizers
import torch
import transformers
from diffusers.pipelines.ace_step import AceStepConditionEncoder
from diffusers.pipelines.shap_e import ShapERenderer
from tiny_parts import autoencoder, clip_text, ddim, oobleck, t5_encoder, vocoder
from torch import nn


def stable_audio() -> Any:
    backbone = diffusers.StableAudioDiTModel(
        sample_size=8,
        in_channels=3,
        out_channels=3,
        num_layers=2,
        attention_head_dim=4,
        num_attention_heads=4,
        num_key_value_attention_heads=2,
        cross_attention_dim=4,
        cross_attention_input_dim=4,
        time_proj_dim=8,
        global_states_input_dim=8,
    )
    durations = diffusers.StableAudioProjectionModel(
        text_encoder_dim=32, conditioning_dim=4, min_value=0, max_value=32
    )
    scheduler = diffusers.EDMDPMSolverMultistepScheduler(
        prediction_type="v_prediction",
        sigma_data=1.0,
        sigma_schedule="exponential",
        sigma_min=0.3,
        sigma_max=500,
    )
    return diffusers.StableAudioPipeline(
        vae=oobleck(3, sampling_rate=4),
        text_encoder=t5_encoder(),
        projection_model=durations,
        tokenizer=tokenizers.t5(25),
        transformer=backbone,
        scheduler=scheduler,
    )


def audioldm2() -> Any:
    backbone = diffusers.AudioLDM2UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=32,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=(8, 16),
    )
    language = transformers.GPT2Config(
        n_embd=16,
        n_head=1,
        n_layer=1,
        vocab_size=64,
        n_positions=256,
        bos_token_id=0,
        eos_token_id=0,
    )
    speaker = transformers.GPT2LMHeadModel(language)
    speaker.config.max_new_tokens = 8
    return diffusers.AudioLDM2Pipeline(
        vae=autoencoder(channels=1, groups=8),
        text_encoder=clap(),
        text_encoder_2=t5_encoder(),
        projection_model=diffusers.AudioLDM2ProjectionModel(16, 32, 16),
        language_model=speaker,
        tokenizer=tokenizers.roberta(),
        tokenizer_2=tokenizers.t5(77),
        feature_extractor=transformers.ClapFeatureExtractor(
            feature_size=8,
            sampling_rate=16000,
            hop_length=7900,
            fft_window_size=64,
            nb_max_samples=16000,
        ),
        unet=backbone,
        vocoder=vocoder(),
        scheduler=ddim(set_alpha_to_one=False),
    )


def clap() -> Any:
    text = {
        "vocab_size": len(tokenizers.roberta()),
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
        "hidden_size": 8,
        "intermediate_size": 37,
        "num_attention_heads": 1,
        "num_hidden_layers": 1,
        "projection_dim": 8,
        "max_position_embeddings": 96,
    }
    audio = {
        "spec_size": 8,
        "window_size": 4,
        "num_mel_bins": 8,
        "intermediate_size": 37,
        "depths": [1, 1],
        "num_attention_heads": [1, 1],
        "num_hidden_layers": 1,
        "hidden_size": 192,
        "projection_dim": 8,
        "patch_size": 2,
        "patch_stride": 2,
        "patch_embed_input_channels": 4,
    }
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=16)
    return transformers.ClapModel(config)


HEADS = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}


def ace_step() -> Any:
    backbone = diffusers.AceStepTransformer1DModel(
        **HEADS,
        num_hidden_layers=2,
        in_channels=24,
        audio_acoustic_hidden_dim=8,
        rope_theta=10000.0,
        sliding_window=16,
    )
    words = transformers.Qwen3Config(
        **HEADS,
        num_hidden_layers=2,
        vocab_size=len(tokenizers.qwen()),
        max_position_embeddings=256,
    )
    conditions = AceStepConditionEncoder(
        **HEADS,
        text_hidden_dim=32,
        timbre_hidden_dim=8,
        num_lyric_encoder_hidden_layers=2,
        num_timbre_encoder_hidden_layers=2,
        rope_theta=10000.0,
        sliding_window=16,
    )
    nn.init.normal_(conditions.silence_latent)  # a trained one brings it
    return diffusers.AceStepPipeline(
        vae=oobleck(8, sampling_rate=50),
        text_encoder=transformers.Qwen3Model(words),
        tokenizer=tokenizers.qwen(),
        transformer=backbone,
        condition_encoder=conditions,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
    )


def shap_e() -> Any:
    prior = diffusers.PriorTransformer(
        num_attention_heads=2,
        attention_head_dim=16,
        embedding_dim=16,
        num_embeddings=32,
        embedding_proj_dim=16,
        time_embed_dim=64,
        num_layers=1,
        clip_embed_dim=32,
        additional_embeddings=0,
        time_embed_act_fn="gelu",
        norm_in_type="layer",
        encoder_hid_proj_type=None,
        added_emb_type=None,
    )
    nn.init.ones_(prior.clip_std)  # zero until it is trained
    renderer = ShapERenderer(
        param_shapes=((8, 93), (8, 8), (8, 8), (8, 8)),
        d_latent=16,
        d_hidden=8,
        n_output=12,
        background=(0.1, 0.1, 0.1),
    )
    scheduler = diffusers.HeunDiscreteScheduler(
        beta_schedule="exp",
        num_train_timesteps=1024,
        prediction_type="sample",
        use_karras_sigmas=True,
        clip_sample=True,
    )
    return diffusers.ShapEPipeline(
        prior=prior,
        text_encoder=clip_text(hidden=16, projected=True),
        tokenizer=tokenizers.clip(),
        scheduler=scheduler,
        shap_e_renderer=renderer,
    )


def random_embedding(seed: int) -> torch.Tensor:
    return torch.randn((1, 32), generator=torch.Generator().manual_seed(seed))
