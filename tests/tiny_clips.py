"""More tiny pipelines that make clips, most out of a picture; and all, as families' models."""

from collections.abc import Callable, Mapping
from typing import Any

import diffusers
import tiny_tokenizers as tokenizers
import tiny_videos as videos
import transformers
from tiny_parts import changed, clip_vision, over


def wan_image() -> Any:
    """Wan 2.1 from a picture: the latents beside those of the first frame, and what CLIP sees."""
    base = videos.wan()
    return over(
        diffusers.WanImageToVideoPipeline,
        base,
        transformer=changed(base.transformer, in_channels=36, image_dim=32),
        image_encoder=clip_vision(),
        image_processor=transformers.CLIPImageProcessor(crop_size=32, size=32),
    )


def wan_both() -> Any:
    """Wan 2.2 of 5B: each latent is told its own time, and a given first frame is at its end."""
    return over(diffusers.WanPipeline, videos.wan(), expand_timesteps=True)


def wan_halves() -> Any:
    """Wan 2.2 of 14B: one transformer for the first half of the noise, and one for the rest."""
    base = videos.wan()
    other = changed(base.transformer)
    return over(diffusers.WanPipeline, base, transformer_2=other, boundary_ratio=0.9)


def cogvideox_image() -> Any:
    base = videos.cogvideox()
    return over(
        diffusers.CogVideoXImageToVideoPipeline,
        base,
        transformer=changed(base.transformer, in_channels=8, sample_width=4, sample_height=4),
    )


def skyreels() -> Any:
    base = videos.hunyuan()
    return over(
        diffusers.HunyuanSkyreelsImageToVideoPipeline,
        base,
        transformer=changed(base.transformer, in_channels=8),
    )


def svd() -> Any:
    """With an encoder for the size that pictures come in: 224 pixels."""
    return over(
        diffusers.StableVideoDiffusionPipeline, videos.svd(), image_encoder=clip_vision(224)
    )


def cosmos() -> Any:
    """Words, frames and sound in one transformer; the sound has 100 samples a second."""
    tokenizer = tokenizers.qwen(2048)
    tokenizer.add_tokens(["<|vision_start|>"])
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    return diffusers.Cosmos3OmniPipeline(
        transformer=diffusers.Cosmos3OmniTransformer(
            head_dim=8,
            hidden_size=32,
            intermediate_size=32,
            latent_channel=16,
            latent_patch_size=2,
            num_attention_heads=4,
            num_hidden_layers=2,
            num_key_value_heads=2,
            patch_latent_dim=64,
            rope_axes_dim=(2, 1, 1),
            vocab_size=len(tokenizer),
            sound_dim=8,
            sound_gen=True,
        ),
        text_tokenizer=tokenizer,
        vae=videos.wan().vae,
        scheduler=diffusers.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        sound_tokenizer=diffusers.Cosmos3AVAEAudioTokenizer(
            sampling_rate=100,
            vocoder_input_dim=8,
            dec_dim=4,
            dec_c_mults=(1, 2),
            dec_strides=(2, 2),
            encoder_enabled=False,
        ),
        enable_safety_checker=False,
        default_use_system_prompt=False,
    )


def skyreels_2() -> Any:
    """Of no family: what the one for any pipeline is for."""
    base = videos.wan()
    backbone = diffusers.SkyReelsV2Transformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        text_dim=32,
        freq_dim=16,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=32,
    )
    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=8.0
    )
    return over(diffusers.SkyReelsV2Pipeline, base, transformer=backbone, scheduler=scheduler)


MODELS: Mapping[str, Callable[[], Any]] = {
    "wan": videos.wan,
    "wan-image": wan_image,
    "wan-both": wan_both,
    "wan-halves": wan_halves,
    "cogvideox": videos.cogvideox,
    "cogvideox-image": cogvideox_image,
    "ltx": videos.ltx,
    "ltx2": videos.ltx2,
    "latte": videos.latte,
    "hunyuan-video": videos.hunyuan,
    "skyreels": skyreels,
    "svd": svd,
    "animatediff": videos.animatediff,
    "cosmos3": cosmos,
    "skyreels-2": skyreels_2,
}
