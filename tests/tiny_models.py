"""Small models on disk, for the tests of the registry and of what stands on it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

TENSORS: dict[str, Any] = {
    "down.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "down.bias": np.arange(3, dtype=np.float32),
    "table": np.arange(6, dtype=np.float16).reshape(2, 3),
    "count": np.array(7, dtype=np.int64),
}


class Affine(nn.Module):
    """A plain component, as a plugin would write one: y = W x + b."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, size)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Affine":
        return cls(config["size"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.linear(x)
        return result


class Forgetful(Affine):
    """Computes a table in __init__ that no file holds: cannot be built without memory."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.register_buffer("table", torch.arange(size), persistent=False)


class Words:
    """A component without tensors that is no module."""

    def __init__(self, words: list[str]) -> None:
        self.words = words

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Words":
        return cls(config["words"])


def write_json(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def write_component(folder: Path, tensors: dict[str, Any], **config: Any) -> Path:
    """A folder that diffusers would read; nothing but headers and bytes is checked without it."""
    write_json(folder / "config.json", config)
    save_file(tensors, folder / "diffusion_pytorch_model.safetensors")
    return folder


def write_model(folder: Path, *, scale: float = 1.0) -> Path:
    """A model of the right layout and names; its unet differs with `scale`, its vae never."""
    unet = {name: np.asarray(tensor * scale, tensor.dtype) for name, tensor in TENSORS.items()}
    write_component(folder / "unet", unet, channels=4)
    write_component(folder / "vae", TENSORS, channels=4)
    write_json(folder / "scheduler/scheduler_config.json", {"steps": 1000})
    write_json(
        folder / "model_index.json",
        {
            "_class_name": "StableDiffusionPipeline",
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
            "scheduler": ["diffusers", "DDIMScheduler"],
            "safety_checker": [None, None],
            "image_encoder": None,
            "requires_safety_checker": False,
        },
    )
    return folder


def save_plain(folder: Path, module: nn.Module, **config: Any) -> Path:
    """A model of one plain component, `backbone`, of a class of this file."""
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    write_json(folder / "backbone/config.json", config)
    save_file(state, folder / "backbone/weights.safetensors")
    name_plain(folder, type(module).__name__)
    return folder


def name_plain(folder: Path, class_name: str) -> Path:
    return write_json(
        folder / "model_index.json",
        {"_class_name": "TinyPipeline", "backbone": ["tiny_models", class_name]},
    )


def save_stable_diffusion(folder: Path, *, seed: int = 0, max_shard_size: str = "10GB") -> Path:
    """A real Stable Diffusion of a few thousand random weights, saved by diffusers itself."""
    import diffusers
    import transformers

    tokenizer = _clip_tokenizer()
    torch.manual_seed(seed)
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        norm_num_groups=4,
        attention_head_dim=2,
    )
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKL(
        block_out_channels=[8, 16],
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        norm_num_groups=4,
        sample_size=16,
    )
    text_encoder = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=37,
            num_attention_heads=4,
            num_hidden_layers=2,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    pipeline = diffusers.StableDiffusionPipeline(
        unet=unet,
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        scheduler=diffusers.DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, max_shard_size=max_shard_size)
    return folder


def _clip_tokenizer() -> Any:
    """Bytes alone, without merges: 514 tokens, made without a download."""
    import transformers
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ends = [f"{letter}</w>" for letter in letters]
    vocab = [*letters, *ends, "<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer(
        vocab={token: number for number, token in enumerate(vocab)}, merges=[], model_max_length=77
    )
