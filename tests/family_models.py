"""Tiny checkpoints of the families, by name, each built and saved when it is first asked for."""

from __future__ import annotations

import inspect
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import tiny_clips as clips
import tiny_images as images
import tiny_solids as solids
import tiny_songs as songs
import tiny_tokenizers as tokenizers
import torch
import transformers
from PIL import Image
from tiny_parts import (
    SCALED_LINEAR,
    clip_text,
    clip_vision,
    flow_autoencoder,
    over,
    stable_diffusion,
    unet,
)
from torch import nn

from omnifex.workbench import Workbench
from omnifex_audio.files import encode
from omnifex_registry import Model
from omnifex_video import files as video_files


def sd_v() -> Any:
    scheduler = diffusers.DDIMScheduler(**SCALED_LINEAR, prediction_type="v_prediction")
    return diffusers.StableDiffusionPipeline(**stable_diffusion(scheduler=scheduler))


def sd_inpaint() -> Any:
    parts = stable_diffusion(unet=unet(in_channels=9))
    return diffusers.StableDiffusionInpaintPipeline(**parts)


def attentive() -> Any:
    """Stable Diffusion whose first block attends to the text, as the released one's does."""
    blocks = {
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    }
    return diffusers.StableDiffusionPipeline(**stable_diffusion(unet=unet(**blocks)))


def turbo() -> Any:
    scheduler = diffusers.EulerAncestralDiscreteScheduler(
        **SCALED_LINEAR, timestep_spacing="trailing"
    )
    return over(diffusers.StableDiffusionXLPipeline, images.sdxl(), scheduler=scheduler)


def student() -> Any:
    """Stable Diffusion as LCM-LoRA leaves it: another scheduler, and no guidance in the UNet."""
    return diffusers.StableDiffusionPipeline(
        **stable_diffusion(scheduler=diffusers.LCMScheduler(**SCALED_LINEAR, clip_sample=False))
    )


def pixels() -> Any:
    """A progressively distilled student: DDIM in few steps, without a condition."""
    return diffusers.DDIMPipeline(
        unet=diffusers.UNet2DModel(
            sample_size=16,
            layers_per_block=1,
            block_out_channels=(8, 16),
            norm_num_groups=4,
            attention_head_dim=4,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        ),
        scheduler=diffusers.DDIMScheduler(timestep_spacing="trailing"),
    )


def flux_like(pipeline_class: Any, **backbone: Any) -> Any:
    base = images.flux()
    settings = {k: v for k, v in base.transformer.config.items() if not k.startswith("_")}
    own = diffusers.FluxTransformer2DModel(**{**settings, **backbone})
    return over(pipeline_class, base, transformer=own)


def sd3_inpaint() -> Any:
    """Its inpainting asks for the 16 channels that the released models have."""
    base = images.sd3()
    settings = {k: v for k, v in base.transformer.config.items() if not k.startswith("_")}
    wide = {**settings, "in_channels": 16, "out_channels": 16}
    return over(
        diffusers.StableDiffusion3Pipeline,
        base,
        transformer=diffusers.SD3Transformer2DModel(**wide),
        vae=flow_autoencoder(16),
    )


def qwen_vl() -> Any:
    """The vision-language model that reads prompts for Qwen-Image."""
    tokenizer = tokenizers.qwen()
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            **sizes,
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
            "rope_parameters": {
                "mrope_section": [1, 1, 2],
                "rope_type": "default",
                "rope_theta": 1000000.0,
            },
            "vocab_size": len(tokenizer),
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
        },
    )
    return transformers.Qwen2_5_VLForConditionalGeneration(config)


def qwen_image() -> Any:
    return diffusers.QwenImagePipeline(
        transformer=diffusers.QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=3,
            joint_attention_dim=16,
            guidance_embeds=False,
            axes_dims_rope=(8, 4, 4),
        ),
        vae=diffusers.AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 2, 2, 2],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        ),
        text_encoder=qwen_vl(),
        tokenizer=tokenizers.qwen(1024),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )


def qwen3(causal: bool, layers: int = 2) -> Any:
    config = transformers.Qwen3Config(
        vocab_size=len(chat_tokenizer()),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
    )
    return (transformers.Qwen3ForCausalLM if causal else transformers.Qwen3Model)(config)


def chat_tokenizer() -> Any:
    tokenizer = tokenizers.qwen(512)
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    return tokenizer


def z_image() -> Any:
    return diffusers.ZImagePipeline(
        transformer=diffusers.ZImageTransformer2DModel(
            all_patch_size=(2,),
            all_f_patch_size=(1,),
            in_channels=16,
            dim=32,
            n_layers=2,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            qk_norm=True,
            cap_feat_dim=16,
            rope_theta=256.0,
            t_scale=1000.0,
            axes_dims=[8, 4, 4],
            axes_lens=[256, 32, 32],
        ),
        vae=flow_autoencoder(16),
        text_encoder=qwen3(causal=False),
        tokenizer=chat_tokenizer(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def klein() -> Any:
    """Flux.2 in its small form."""
    return diffusers.Flux2KleinPipeline(
        transformer=diffusers.Flux2Transformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            timestep_guidance_channels=256,
            axes_dims_rope=[4, 4, 4, 4],
            guidance_embeds=False,
        ),
        vae=diffusers.AutoencoderKLFlux2(
            sample_size=32,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 16),
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
        ),
        text_encoder=qwen3(causal=True, layers=3),
        tokenizer=chat_tokenizer(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )


def clip_encoders() -> dict[str, Any]:
    return {"text_encoder": clip_text(projected=True), "tokenizer": tokenizers.clip()}


def refiner() -> Any:
    """It has the second text encoder alone, and is told how fine its pictures are to be."""
    base = images.sdxl()
    return diffusers.StableDiffusionXLImg2ImgPipeline(
        unet=unet(
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 2),
            projection_class_embeddings_input_dim=8 * 5 + 32,
        ),
        vae=base.vae,
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=base.text_encoder_2,
        tokenizer_2=base.tokenizer_2,
        scheduler=base.scheduler,
        requires_aesthetics_score=True,
        add_watermarker=False,
    )


def upscaler() -> Any:
    parts = stable_diffusion(unet=unet(in_channels=7, num_class_embeds=1000))
    wanted = inspect.signature(diffusers.StableDiffusionUpscalePipeline).parameters
    return diffusers.StableDiffusionUpscalePipeline(
        **{name: part for name, part in parts.items() if name in wanted},
        low_res_scheduler=diffusers.DDPMScheduler(**SCALED_LINEAR),
        watermarker=None,
    )


def super_resolution() -> Any:
    base = images.deepfloyd()
    larger = images.cascade_unet(
        in_channels=6,
        out_channels=6,
        sample_size=32,
        class_embed_type="timestep",
        addition_embed_type="text",
        addition_embed_type_num_heads=2,
        cross_attention_norm="group_norm",
        act_fn="gelu",
    )
    parts = {**base.components, "unet": larger, "requires_safety_checker": False}
    noising = diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    return diffusers.IFSuperResolutionPipeline(**parts, image_noising_scheduler=noising)


def prior() -> Any:
    backbone = diffusers.PriorTransformer(
        num_attention_heads=2, attention_head_dim=12, embedding_dim=32, num_layers=1
    )
    backbone.clip_std = nn.Parameter(torch.ones_like(backbone.clip_std))
    return diffusers.KandinskyV22PriorPipeline(
        prior=backbone,
        image_encoder=clip_vision(),
        **clip_encoders(),
        scheduler=diffusers.UnCLIPScheduler(
            variance_type="fixed_small_log",
            prediction_type="sample",
            num_train_timesteps=1000,
            clip_sample_range=10.0,
        ),
        image_processor=transformers.CLIPImageProcessor(crop_size=32, size=32),
    )


def kandinsky22() -> Any:
    decoder = images.kandinsky()
    parts = {f"prior_{name}": part for name, part in prior().components.items()}
    return diffusers.KandinskyV22CombinedPipeline(**decoder.components, **parts)


def unclip() -> Any:
    from diffusers.pipelines.deprecated.unclip import UnCLIPTextProjModel

    def scheduler(kind: str, prediction: str, **other: Any) -> Any:
        return diffusers.UnCLIPScheduler(
            variance_type=kind, prediction_type=prediction, num_train_timesteps=1000, **other
        )

    def enlarging() -> Any:
        return diffusers.UNet2DModel(
            sample_size=32,
            layers_per_block=1,
            down_block_types=("ResnetDownsampleBlock2D",) * 2,
            up_block_types=("ResnetUpsampleBlock2D",) * 2,
            block_out_channels=(16, 32),
            in_channels=6,
            out_channels=3,
            norm_num_groups=8,
        )

    decoder = diffusers.UNet2DConditionModel(
        sample_size=16,
        in_channels=3,
        out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        block_out_channels=(16, 32),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=4,
        resnet_time_scale_shift="scale_shift",
        class_embed_type="identity",
        norm_num_groups=8,
    )
    return diffusers.UnCLIPPipeline(
        prior=prior().prior,
        decoder=decoder,
        **clip_encoders(),
        text_proj=UnCLIPTextProjModel(
            clip_embeddings_dim=32, time_embed_dim=64, cross_attention_dim=32
        ),
        super_res_first=enlarging(),
        super_res_last=enlarging(),
        prior_scheduler=scheduler("fixed_small_log", "sample", clip_sample_range=5.0),
        decoder_scheduler=scheduler("learned_range", "epsilon"),
        super_res_scheduler=scheduler("fixed_small_log", "epsilon"),
    )


# Models of several stages: pipelines by what the slots of each begin with.
STAGED: Mapping[str, Mapping[str, Callable[[], Any]]] = {
    "sdxl-refined": {"": images.sdxl, "refiner_": refiner},
    "deepfloyd": {"": images.deepfloyd, "super_resolution_": super_resolution},
    "deepfloyd-upscaled": {
        "": images.deepfloyd,
        "super_resolution_": super_resolution,
        "upscaler_": upscaler,
    },
}
MODELS: Mapping[str, Callable[[], Any]] = {
    "sd": images.sd15,
    "sd-attentive": attentive,
    "sd-v": sd_v,
    "sd-inpaint": sd_inpaint,
    "sd-student": student,
    "sdxl": images.sdxl,
    "sdxl-turbo": turbo,
    "lcm": images.lcm,
    "consistency": images.consistency,
    "pixels": pixels,
    "dit": images.dit,
    "unidiffuser": images.unidiffuser,
    "sd3": images.sd3,
    "sd3-inpaint": sd3_inpaint,
    "flux": images.flux,
    "flux-schnell": lambda: flux_like(diffusers.FluxPipeline, guidance_embeds=False),
    "flux-fill": lambda: flux_like(diffusers.FluxFillPipeline, in_channels=24, out_channels=4),
    "flux-control": lambda: flux_like(diffusers.FluxControlPipeline, in_channels=8, out_channels=4),
    "flux-kontext": lambda: flux_like(diffusers.FluxKontextPipeline),
    "qwen-image": qwen_image,
    "z-image": z_image,
    "flux2-klein": klein,
    "marigold": images.marigold,
    "pixart": images.pixart,
    "kandinsky22": kandinsky22,
    "unclip": unclip,
    **clips.MODELS,
    **songs.MODELS,
    **solids.MODELS,
}


def save(name: str, folder: Path) -> Path:
    """The checkpoint as a model folder."""
    stages = STAGED.get(name) or {"": MODELS[name]}
    for prefix, build in stages.items():
        save_pipeline(build, folder / prefix if prefix else folder)
        if prefix:
            add_stage(folder, prefix)
    as_released(folder / "model_index.json")
    return folder


def save_pipeline(build: Callable[[], Any], folder: Path) -> Path:
    """One pipeline as a model folder; the global randomness is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = build()
    for component in pipeline.components.values():
        if isinstance(component, nn.Module):
            component.eval()
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def add_stage(folder: Path, prefix: str) -> None:
    """Move what was saved below the prefix into slots of the model that begin with it."""
    saved, index = folder / prefix, json.loads((folder / "model_index.json").read_text())
    added = json.loads((saved / "model_index.json").read_text())
    for name, value in added.items():
        if not name.startswith("_"):
            index[prefix + name] = value
        if (saved / name).is_dir():
            (saved / name).rename(folder / f"{prefix}{name}")
    (folder / "model_index.json").write_text(json.dumps(index))
    shutil.rmtree(saved)


def as_released(index: Path) -> None:
    """diffusers 0.42 forgot where it moved this class to; the released model says "unclip"."""
    text = re.sub(
        r'"[\w.]+",\s*"UnCLIPTextProjModel"', '"unclip", "UnCLIPTextProjModel"', index.read_text()
    )
    index.write_text(text)


class Checkpoints:
    """The models of one workbench and files to hand in, made once, below one folder."""

    def __init__(self, bench: Workbench, folder: Path) -> None:
        self.bench, self.folder = bench, folder
        self._models: dict[str, Model] = {}
        self.beside: dict[str, Model] = {}  # networks and adapters, by name

    def __getitem__(self, name: str) -> Model:
        if name not in self._models:
            self._models[name] = self.bench.add(save(name, self.folder / name), name)
        return self._models[name]

    def file(self, kind: str) -> Path:
        """A picture of 24×16 pixels, a mask of its left half, a sound, or a clip."""
        if kind == "audio":
            return sung(self.folder / "audio.wav")
        if kind == "video":
            return filmed(self.folder / "video.webm")
        path = self.folder / f"{kind}.png"
        if not path.exists():
            drawn(kind).save(path)
        return path


def drawn(kind: str) -> Image.Image:
    if kind == "mask":
        mask = Image.new("L", (24, 16))
        mask.paste(255, (0, 0, 12, 16))
        return mask
    noise = torch.randint(0, 256, (16, 24, 3), generator=torch.Generator().manual_seed(9))
    return Image.fromarray(noise.byte().numpy())


def filmed(path: Path) -> Path:
    """Nine frames of noise, 24×16."""
    if not path.exists():
        noise = torch.randint(0, 256, (9, 16, 24, 3), generator=torch.Generator().manual_seed(9))
        path.write_bytes(video_files.encode(noise.byte().numpy(), 8, "webm", {}))
    return path


def sung(path: Path) -> Path:
    """Stereo noise, 64 samples at 50 a second."""
    if not path.exists():
        noise = torch.rand((2, 64), generator=torch.Generator().manual_seed(9)) - 0.5
        path.write_bytes(encode(noise.numpy(), 50, "wav", {}))
    return path
