"""Tiny pipelines that make pictures, and maps of pictures."""

from typing import Any

import diffusers
import tiny_tokenizers as tokenizers
import torch
import transformers
from tiny_parts import (
    SCALED_LINEAR,
    autoencoder,
    awakened,
    clip_text,
    clip_vision,
    ddim,
    flow_autoencoder,
    stable_diffusion,
    t5_encoder,
    unet,
)
from torch import nn


def sd15() -> Any:
    return diffusers.StableDiffusionPipeline(**stable_diffusion())


def sdxl() -> Any:
    backbone = unet(
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=8 * 6 + 32,
        cross_attention_dim=64,
    )
    return diffusers.StableDiffusionXLPipeline(
        unet=backbone,
        vae=autoencoder(),
        text_encoder=clip_text(),
        text_encoder_2=clip_text(projected=True),
        tokenizer=tokenizers.clip(),
        tokenizer_2=tokenizers.clip(),
        scheduler=diffusers.EulerDiscreteScheduler(
            **SCALED_LINEAR, steps_offset=1, timestep_spacing="leading"
        ),
        add_watermarker=False,
    )


def lcm() -> Any:
    scheduler = diffusers.LCMScheduler(**SCALED_LINEAR, clip_sample=False, set_alpha_to_one=False)
    parts = stable_diffusion(unet=unet(time_cond_proj_dim=32), scheduler=scheduler)
    return diffusers.LatentConsistencyModelPipeline(**parts)


def controlnet() -> Any:
    control = diffusers.ControlNetModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        cross_attention_dim=32,
        conditioning_embedding_out_channels=(16, 32),
        norm_num_groups=4,
        attention_head_dim=2,
    )
    for convolution in (*control.controlnet_down_blocks, control.controlnet_mid_block):
        awakened(convolution, 1.0)  # they start at zero
    return diffusers.StableDiffusionControlNetPipeline(**stable_diffusion(controlnet=control))


def consistency() -> Any:
    backbone = diffusers.UNet2DModel(
        sample_size=16,
        layers_per_block=1,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        resnet_time_scale_shift="scale_shift",
        num_class_embeds=10,
        attention_head_dim=4,
        down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "ResnetUpsampleBlock2D"),
        downsample_type="resnet",
        upsample_type="resnet",
    )
    scheduler = diffusers.CMStochasticIterativeScheduler(num_train_timesteps=40)
    return diffusers.ConsistencyModelPipeline(unet=backbone, scheduler=scheduler)


def cascade_unet(**other: Any) -> Any:
    """The UNet of the pixel cascades, which also predicts the variance."""
    other.setdefault("out_channels", other["in_channels"] * 2)
    return diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        cross_attention_dim=32,
        encoder_hid_dim=32,
        attention_head_dim=8,
        resnet_time_scale_shift="scale_shift",
        **other,
    )


def deepfloyd() -> Any:
    backbone = cascade_unet(
        in_channels=3,
        sample_size=16,
        addition_embed_type="text",
        addition_embed_type_num_heads=2,
        cross_attention_norm="group_norm",
        act_fn="gelu",
    )
    scheduler = diffusers.DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        variance_type="learned_range",
    )
    return diffusers.IFPipeline(
        tokenizer=tokenizers.t5(),
        text_encoder=t5_encoder(),
        unet=backbone,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )


def kandinsky() -> Any:
    backbone = cascade_unet(
        in_channels=4, sample_size=8, addition_embed_type="image", encoder_hid_dim_type="image_proj"
    )
    movq = diffusers.VQModel(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
        latent_channels=4,
        norm_num_groups=8,
        norm_type="spatial",
        num_vq_embeddings=12,
        vq_embed_dim=4,
    )
    scheduler = diffusers.DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, clip_sample=False, variance_type="learned_range"
    )
    return diffusers.KandinskyV22Pipeline(unet=backbone, movq=movq, scheduler=scheduler)


def marigold() -> Any:
    parts = stable_diffusion(unet=unet(in_channels=8))
    return diffusers.MarigoldDepthPipeline(
        unet=parts["unet"],
        vae=parts["vae"],
        text_encoder=parts["text_encoder"],
        tokenizer=parts["tokenizer"],
        scheduler=ddim(
            prediction_type="v_prediction",
            timestep_spacing="trailing",
            rescale_betas_zero_snr=True,
        ),
        prediction_type="depth",
        scale_invariant=True,
        shift_invariant=True,
    )


def sd3() -> Any:
    backbone = diffusers.SD3Transformer2DModel(
        sample_size=32,
        patch_size=1,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=32,
        pooled_projection_dim=32,
    )
    return diffusers.StableDiffusion3Pipeline(
        transformer=backbone,
        vae=flow_autoencoder(4),
        text_encoder=clip_text(hidden=16, projected=True),
        text_encoder_2=clip_text(hidden=16, projected=True),
        text_encoder_3=t5_encoder(),
        tokenizer=tokenizers.clip(),
        tokenizer_2=tokenizers.clip(),
        tokenizer_3=tokenizers.t5(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def flux() -> Any:
    backbone = diffusers.FluxTransformer2DModel(
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True)
    return diffusers.FluxPipeline(
        transformer=backbone,
        vae=flow_autoencoder(1),
        text_encoder=clip_text(),
        text_encoder_2=t5_encoder(),
        tokenizer=tokenizers.clip(),
        tokenizer_2=tokenizers.t5(),
        scheduler=scheduler,
    )


ADA_NORM = {
    "sample_size": 8,
    "num_layers": 2,
    "patch_size": 2,
    "attention_head_dim": 8,
    "in_channels": 4,
    "out_channels": 8,
    "attention_bias": True,
    "activation_fn": "gelu-approximate",
    "num_embeds_ada_norm": 1000,
    "norm_elementwise_affine": False,
}


def dit() -> Any:
    backbone = diffusers.DiTTransformer2DModel(
        **ADA_NORM, num_attention_heads=2, norm_type="ada_norm_zero"
    )
    return diffusers.DiTPipeline(
        transformer=backbone, vae=autoencoder(), scheduler=diffusers.DDIMScheduler()
    )


def pixart() -> Any:
    backbone = diffusers.PixArtTransformer2DModel(
        **ADA_NORM,
        num_attention_heads=3,
        norm_type="ada_norm_single",
        norm_eps=1e-6,
        caption_channels=32,
        cross_attention_dim=24,
    )
    return diffusers.PixArtAlphaPipeline(
        tokenizer=tokenizers.t5(120),
        text_encoder=t5_encoder(),
        vae=autoencoder(),
        transformer=backbone,
        scheduler=diffusers.DPMSolverMultistepScheduler(),
    )


def unidiffuser() -> Any:
    backbone = diffusers.UniDiffuserModel(
        text_dim=32,
        clip_img_dim=32,
        num_text_tokens=77,
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        norm_num_groups=1,
        sample_size=8,
        patch_size=2,
        activation_fn="gelu",
        num_embeds_ada_norm=1000,
        norm_type="layer_norm",
        block_type="unidiffuser",
        pre_layer_norm=False,
        use_patch_pos_embed=False,
        ff_final_dropout=True,
    )
    words = diffusers.UniDiffuserTextDecoder(
        prefix_length=77,
        prefix_inner_dim=32,
        prefix_hidden_dim=32,
        vocab_size=len(tokenizers.gpt2()),
        n_embd=32,
        n_layer=2,
        n_head=4,
    )
    head = words.transformer.lm_head  # tied to the embedding, which safetensors does not know
    head.weight = nn.Parameter(head.weight.detach().clone())
    return diffusers.UniDiffuserPipeline(
        vae=autoencoder(),
        text_encoder=clip_text(),
        image_encoder=clip_vision(),
        clip_image_processor=transformers.CLIPImageProcessor(crop_size=32, size=32),
        clip_tokenizer=tokenizers.clip(),
        text_decoder=words,
        text_tokenizer=tokenizers.gpt2(),
        unet=backbone,
        scheduler=diffusers.DPMSolverMultistepScheduler(**SCALED_LINEAR, solver_order=3),
    )


def random_picture(size: int) -> torch.Tensor:
    return torch.rand((1, 3, size, size), generator=torch.Generator().manual_seed(9))
