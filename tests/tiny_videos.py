"""Tiny pipelines that make clips, one of them with its sound."""

from typing import Any

import diffusers
import tiny_tokenizers as tokenizers
import transformers
from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder
from tiny_images import ADA_NORM
from tiny_parts import (
    SCALED_LINEAR,
    autoencoder,
    clip_text,
    clip_vision,
    stable_diffusion,
    t5_encoder,
    unet,
)


def wan() -> Any:
    backbone = diffusers.WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        text_dim=32,
        freq_dim=16,
        ffn_dim=32,
        num_layers=2,
        cross_attn_norm=True,
        rope_max_seq_len=32,
    )
    vae = diffusers.AutoencoderKLWan(
        base_dim=3,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )
    return diffusers.WanPipeline(
        tokenizer=tokenizers.t5(512),
        text_encoder=t5_encoder("UMT5"),
        vae=vae,
        transformer=backbone,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
    )


def cogvideox() -> Any:
    backbone = diffusers.CogVideoXTransformer3DModel(
        num_attention_heads=4,
        attention_head_dim=8,
        in_channels=4,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=32,
        num_layers=1,
        sample_width=2,
        sample_height=2,
        sample_frames=9,
        temporal_compression_ratio=4,
        max_text_seq_length=16,
    )
    vae = diffusers.AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
    )
    return diffusers.CogVideoXPipeline(
        tokenizer=tokenizers.t5(226),
        text_encoder=t5_encoder(),
        vae=vae,
        transformer=backbone,
        scheduler=diffusers.CogVideoXDDIMScheduler(
            prediction_type="v_prediction", timestep_spacing="trailing"
        ),
    )


def ltx() -> Any:
    backbone = diffusers.LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=4,
        attention_head_dim=8,
        cross_attention_dim=32,
        num_layers=1,
        caption_channels=32,
    )
    vae = diffusers.AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        layers_per_block=(1,) * 5,
        decoder_layers_per_block=(1,) * 5,
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5,
        upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4,
        patch_size=1,
    )
    return diffusers.LTXPipeline(
        tokenizer=tokenizers.t5(128),
        text_encoder=t5_encoder(),
        vae=vae,
        transformer=backbone,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )


def latte() -> Any:
    backbone = diffusers.LatteTransformer3DModel(
        **ADA_NORM,
        num_attention_heads=3,
        caption_channels=32,
        cross_attention_dim=24,
        norm_type="ada_norm_single",
        norm_eps=1e-6,
        video_length=4,
    )
    return diffusers.LattePipeline(
        tokenizer=tokenizers.t5(120),
        text_encoder=t5_encoder(),
        vae=autoencoder(),
        transformer=backbone,
        scheduler=diffusers.DDIMScheduler(),
    )


def hunyuan() -> Any:
    backbone = diffusers.HunyuanVideoTransformer3DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=10,
        num_layers=1,
        num_single_layers=1,
        num_refiner_layers=1,
        patch_size=1,
        patch_size_t=1,
        guidance_embeds=True,
        text_embed_dim=16,
        pooled_projection_dim=16,
        rope_axes_dim=(2, 4, 4),
    )
    vae = diffusers.AutoencoderKLHunyuanVideo(
        latent_channels=4,
        down_block_types=("HunyuanVideoDownBlock3D",) * 4,
        up_block_types=("HunyuanVideoUpBlock3D",) * 4,
        block_out_channels=(8,) * 4,
        layers_per_block=1,
        norm_num_groups=4,
    )
    words = transformers.LlamaConfig(
        vocab_size=len(tokenizers.llama()),
        hidden_size=16,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
    )
    return diffusers.HunyuanVideoPipeline(
        tokenizer=tokenizers.llama(),
        text_encoder=transformers.LlamaModel(words),
        tokenizer_2=tokenizers.clip(),
        text_encoder_2=clip_text(hidden=16),
        vae=vae,
        transformer=backbone,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
    )


def svd() -> Any:
    backbone = diffusers.UNetSpatioTemporalConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=16,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        cross_attention_dim=32,
        num_attention_heads=8,
        projection_class_embeddings_input_dim=24,
        addition_time_embed_dim=8,
    )
    vae = diffusers.AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D",) * 2
    )
    scheduler = diffusers.EulerDiscreteScheduler(
        **SCALED_LINEAR,
        prediction_type="v_prediction",
        sigma_min=0.002,
        sigma_max=700.0,
        timestep_spacing="leading",
        timestep_type="continuous",
        use_karras_sigmas=True,
    )
    return diffusers.StableVideoDiffusionPipeline(
        vae=vae,
        image_encoder=clip_vision(),
        unet=backbone,
        scheduler=scheduler,
        feature_extractor=transformers.CLIPImageProcessor(crop_size=32, size=32),
    )


def animatediff() -> Any:
    backbone = unet(block_out_channels=(8, 8), layers_per_block=2, norm_num_groups=2)
    motion = diffusers.MotionAdapter(
        block_out_channels=(8, 8),
        motion_layers_per_block=2,
        motion_norm_num_groups=2,
        motion_num_attention_heads=4,
    )
    parts = stable_diffusion(unet=backbone, motion_adapter=motion)
    del parts["safety_checker"], parts["requires_safety_checker"]
    return diffusers.AnimateDiffPipeline(**parts)


def gemma_encoder() -> Any:
    text = {
        "vocab_size": len(tokenizers.gemma()),
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "layer_types": ["full_attention"] * 2,
    }
    vision = {
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "image_size": 16,
        "patch_size": 8,
    }
    config = transformers.Gemma3Config(
        text_config=text,
        vision_config=vision,
        mm_tokens_per_image=4,
        boi_token_index=0,
        eoi_token_index=1,
        image_token_index=4,
    )
    return transformers.Gemma3ForConditionalGeneration(config)


def ltx2() -> Any:
    connectors = LTX2TextConnectors(
        caption_channels=32,
        text_proj_in_factor=3,
        video_connector_num_attention_heads=4,
        video_connector_attention_head_dim=8,
        video_connector_num_layers=1,
        video_connector_num_learnable_registers=None,
        audio_connector_num_attention_heads=4,
        audio_connector_attention_head_dim=8,
        audio_connector_num_layers=1,
        audio_connector_num_learnable_registers=None,
        connector_rope_base_seq_len=32,
        rope_double_precision=False,
        rope_type="split",
    )
    vocoder = LTX2Vocoder(
        in_channels=16,
        hidden_channels=32,
        upsample_kernel_sizes=[4, 4],
        upsample_factors=[2, 2],
        resnet_kernel_sizes=[3],
        resnet_dilations=[[1, 3, 5]],
        output_sampling_rate=16000,
    )
    return diffusers.LTX2Pipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=ltx2_autoencoder(),
        audio_vae=ltx2_audio_autoencoder(),
        text_encoder=gemma_encoder(),
        tokenizer=tokenizers.gemma(),
        connectors=connectors,
        transformer=ltx2_backbone(),
        vocoder=vocoder,
    )


def ltx2_backbone() -> Any:
    return diffusers.LTX2VideoTransformer3DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        audio_in_channels=4,
        audio_out_channels=4,
        audio_num_attention_heads=2,
        audio_attention_head_dim=4,
        audio_cross_attention_dim=8,
        num_layers=2,
        caption_channels=32,
        rope_double_precision=False,
        rope_type="split",
    )


def ltx2_autoencoder() -> Any:
    return diffusers.AutoencoderKLLTX2Video(
        latent_channels=4,
        block_out_channels=(8,),
        decoder_block_out_channels=(8,),
        layers_per_block=(1,),
        decoder_layers_per_block=(1, 1),
        spatio_temporal_scaling=(True,),
        decoder_spatio_temporal_scaling=(True,),
        decoder_inject_noise=(False, False),
        downsample_type=("spatial",),
        upsample_residual=(False,),
        upsample_factor=(1,),
        patch_size=1,
        decoder_causal=False,
    )


def ltx2_audio_autoencoder() -> Any:
    return diffusers.AutoencoderKLLTX2Audio(
        base_channels=4,
        ch_mult=(1,),
        num_res_blocks=1,
        resolution=32,
        latent_channels=2,
        mel_bins=8,
    )
