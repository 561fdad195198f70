"""What a job says of an adapter: which file, of what kind, and how much of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from omnifex.errors import OmnifexError


class BadAdapter(OmnifexError):
    """An adapter that its component cannot take."""

    code = "bad_adapter"


@dataclass(frozen=True, slots=True)
class Adapter:
    """One component's LoRA, in one safetensors file.

    Its weights are named as diffusers or peft name them, or as the LoRA loader of a pipeline of
    diffusers can read them.
    """

    id: str  # of its content; no other has it
    path: Path
    weight: float = 1.0
    pipeline: str | None = None  # the class of that pipeline


@dataclass(frozen=True, slots=True)
class Words(Adapter):
    """Rows for a text encoder's table of tokens (textual inversion, Gal et al. 2022)."""

    tensor: str = ""  # of the file
    first: int = 0  # the token that the first row is for, which the id tells too


@dataclass(frozen=True, slots=True)
class ImagePrompt(Adapter):
    """An IP-Adapter (Ye et al. 2023) of a UNet, in one safetensors file; the weight is its scale.

    The call is given a picture's embedding for each, in the order of their ids.
    """


def ordered(adapters: Iterable[Adapter]) -> tuple[Adapter, ...]:
    """In the order of their ids: equal sets give equal bits, and what weighs nothing is left out.

    An adapter that is named twice counts as often.
    """
    weights: dict[str, Adapter] = {}
    for one in adapters:
        before = weights[one.id].weight if one.id in weights else 0.0
        weights[one.id] = replace(one, weight=before + one.weight)
    return tuple(weights[name] for name in sorted(weights) if weights[name].weight)
