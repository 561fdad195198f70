"""Random modules of real classes, a few thousand weights each, that pipelines have in common."""

import inspect
from typing import Any

import diffusers
import tiny_tokenizers as tokenizers
import transformers
from torch import nn

SCALED_LINEAR = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def clip_text(*, hidden: int = 32, projected: bool = False) -> Any:
    tokenizer = tokenizers.clip()
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        hidden_size=hidden,
        projection_dim=hidden,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
    )
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return kind(config)


def clip_vision(image: int = 32) -> Any:
    config = transformers.CLIPVisionConfig(
        hidden_size=32,
        projection_dim=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        image_size=image,
        patch_size=8,
    )
    return transformers.CLIPVisionModelWithProjection(config)


def t5_encoder(kind: str = "T5") -> Any:
    """A T5 or a UMT5, without its decoder."""
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(tokenizers.t5()),
        d_model=32,
        d_ff=37,
        d_kv=8,
        num_heads=4,
        num_layers=2,
        relative_attention_num_buckets=8,
        decoder_start_token_id=0,
        is_encoder_decoder=False,
    )
    return getattr(transformers, f"{kind}EncoderModel")(config)


def autoencoder(*, latent: int = 4, channels: int = 3, groups: int = 4, **other: Any) -> Any:
    """AutoencoderKL that halves height and width."""
    return diffusers.AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        latent_channels=latent,
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=groups,
        sample_size=32,
        **other,
    )


def flow_autoencoder(latent: int) -> Any:
    """The same as Stable Diffusion 3 and Flux use it: shifted, and without quant convolutions."""
    return autoencoder(
        latent=latent,
        use_quant_conv=False,
        use_post_quant_conv=False,
        shift_factor=0.0609,
        scaling_factor=1.5035,
    )


def unet(**other: Any) -> Any:
    """The UNet of Stable Diffusion."""
    settings = {
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "sample_size": 8,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 32,
        "norm_num_groups": 4,
        "attention_head_dim": 2,
    }
    return diffusers.UNet2DConditionModel(**(settings | other))


def stable_diffusion(**other: Any) -> dict[str, Any]:
    """The components of Stable Diffusion 1.5."""
    components = {
        "unet": unet(),
        "vae": autoencoder(),
        "text_encoder": clip_text(),
        "tokenizer": tokenizers.clip(),
        "scheduler": ddim(),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
    return components | other


def ddim(**other: Any) -> Any:
    return diffusers.DDIMScheduler(**SCALED_LINEAR, clip_sample=False, steps_offset=1, **other)


def oobleck(channels: int, sampling_rate: int) -> Any:
    """The autoencoder of waveforms, two samples to a latent."""
    return diffusers.AutoencoderOobleck(
        encoder_hidden_size=6,
        downsampling_ratios=[1, 2],
        decoder_channels=3,
        decoder_input_channels=channels,
        audio_channels=2,
        channel_multiples=[2, 4],
        sampling_rate=sampling_rate,
    )


def vocoder() -> Any:
    config = transformers.SpeechT5HifiGanConfig(
        model_in_dim=8,
        sampling_rate=16000,
        upsample_initial_channel=16,
        upsample_rates=[2, 2],
        upsample_kernel_sizes=[4, 4],
        resblock_kernel_sizes=[3, 7],
        resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]],
        normalize_before=False,
    )
    return awakened(transformers.SpeechT5HifiGan(config), 0.15)


def awakened(module: nn.Module, deviation: float) -> Any:
    """The module with weights that make themselves heard, where its own start near nothing."""
    for weight in module.parameters():
        nn.init.normal_(weight, std=deviation)
    return module


def over(pipeline_class: Any, base: Any, **other: Any) -> Any:
    """A pipeline of this class, of what it has in common with another, and of parts of its own."""
    wanted = inspect.signature(pipeline_class).parameters
    parts = {**base.components, **other}
    return pipeline_class(**{name: part for name, part in parts.items() if name in wanted})


def changed(module: Any, **other: Any) -> Any:
    """A module of the same class with fresh weights, some of its config otherwise."""
    config = {name: value for name, value in module.config.items() if name[0] != "_"}
    return type(module)(**{**config, **other})
