"""Tokenizers made on the spot: every character or byte is a token, and nothing is downloaded."""

from typing import Any

import transformers
from tokenizers import pre_tokenizers

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'\"-()[]_"
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())


def numbered(*tokens: str) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}


def clip(length: int = 77) -> Any:
    ends = (f"{byte}</w>" for byte in BYTES)
    vocab = numbered(*BYTES, *ends, "<|startoftext|>", "<|endoftext|>")
    return transformers.CLIPTokenizer(vocab=vocab, merges=[], model_max_length=length)


def t5(length: int = 64) -> Any:
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces = [(f"{start}{letter}", -3.0) for start in ("", "▁") for letter in LETTERS]
    return transformers.T5Tokenizer(vocab=[*special, *pieces], extra_ids=0, model_max_length=length)


def gpt2() -> Any:
    tokenizer = transformers.GPT2Tokenizer(vocab=numbered(*BYTES, "<|endoftext|>"), merges=[])
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def roberta(length: int = 77) -> Any:
    vocab = numbered("<s>", "<pad>", "</s>", "<unk>", "<mask>", *BYTES)
    return transformers.RobertaTokenizer(vocab=vocab, merges=[], model_max_length=length)


def qwen(length: int = 256) -> Any:
    vocab = numbered(*BYTES, "<|endoftext|>", "<|im_start|>", "<|im_end|>")
    return transformers.Qwen2Tokenizer(vocab=vocab, merges=[], model_max_length=length)


def gemma(length: int = 64) -> Any:
    special = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁")
    vocab = numbered(*special, *(f"<0x{byte:02X}>" for byte in range(256)), *LETTERS)
    return transformers.GemmaTokenizer(vocab=vocab, merges=[], model_max_length=length)


def llama(length: int = 256) -> Any:
    vocab = numbered("<unk>", "<s>", "</s>", "▁", *(f"<0x{b:02X}>" for b in range(256)), *LETTERS)
    tokenizer = transformers.LlamaTokenizer(vocab=vocab, merges=[], model_max_length=length)
    tokenizer.pad_token = "</s>"
    return tokenizer
