"""Tiny models of real classes of transformers, saved as it saves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tiny_tokenizers as tokenizers
import torch
import transformers

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>{% endif %}"
)


def instruct() -> tuple[Any, Any]:
    """A Qwen 2 that is told what to do in the form of a talk."""
    tokenizer = tokenizers.qwen()
    tokenizer.chat_template = CHAT
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        initializer_range=0.6,
    )
    return transformers.Qwen2ForCausalLM(config), tokenizer


def continuing() -> tuple[Any, Any]:
    """A GPT-2, which goes on with a text; its weights are tied."""
    tokenizer = tokenizers.gpt2()
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=128,
        n_embd=32,
        n_layer=2,
        n_head=4,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.6,
    )
    return transformers.GPT2LMHeadModel(config), tokenizer


def paired() -> tuple[Any, Any]:
    """A T5, whose one half reads and whose other half writes."""
    tokenizer = tokenizers.t5()
    config = transformers.T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_ff=37,
        d_kv=8,
        num_heads=4,
        num_layers=2,
        decoder_start_token_id=0,
        initializer_factor=4.0,
    )
    return transformers.T5ForConditionalGeneration(config), tokenizer


def clip() -> tuple[Any, Any, Any]:
    """A CLIP whole: both of its encoders, and what they are given."""
    tokenizer = tokenizers.clip()
    sizes = {"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4}
    text = {
        **sizes,
        "num_hidden_layers": 2,
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {**sizes, "num_hidden_layers": 2, "image_size": 32, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    processor = transformers.CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    return transformers.CLIPModel(config), tokenizer, processor


def clap() -> tuple[Any, Any, Any]:
    """A CLAP whole, that hears a second at a time."""
    tokenizer = tokenizers.roberta()
    sizes = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 37}
    text = {
        **sizes,
        "num_attention_heads": 4,
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "max_position_embeddings": 96,
    }
    audio = {
        **sizes,
        "num_attention_heads": [2, 2],
        "depths": [2, 2],
        "patch_embeds_hidden_size": 16,
        "patch_size": 2,
        "patch_stride": 2,
        "window_size": 4,
        "spec_size": 64,
        "num_mel_bins": 16,
    }
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=16)
    extractor = transformers.ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=8000,
        hop_length=100,
        max_length_s=1,
        fft_window_size=256,
        frequency_max=4000,
        truncation="rand_trunc",
    )
    return transformers.ClapModel(config), tokenizer, extractor


MODELS: Mapping[str, Callable[[], tuple[Any, ...]]] = {
    "instruct": instruct,
    "continuing": continuing,
    "paired": paired,
    "clip": clip,
    "clap": clap,
}
LANGUAGE = ("instruct", "continuing", "paired")


def save(name: str, folder: Path) -> Path:
    """The model in one folder, the same weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        parts = MODELS[name]()
    for part in parts:
        part.save_pretrained(folder)
    return folder
