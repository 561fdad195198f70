"""Copies of what pipelines change, one for each job, as cheap as the change is likely.

Python's own deepcopy of a tokenizer takes longer than a small picture. A tokenizer of transformers
is a few settings around a backend with tables of many thousand words, which all copies share.
"""

from __future__ import annotations

import copy
import copyreg
from functools import cache
from typing import Any

import torch
from torch import Tensor

# The backend's methods that change more than how the next text is cut and filled up, which the
# tokenizer sets anew for each text. Between component calls only one job's Python runs.
CHANGING = ("add_special_tokens", "add_tokens", "train", "train_from_iterator")
TABLES = ("_merges", "_vocab", "_vocab_scores")  # what the backend was made of
CONSTANT = frozenset(
    {type(None), bool, int, float, str, bytes, type, torch.dtype, torch.device, torch.Size}
)
TAKEN_FOR_CONSTANT = ("diffusers.configuration_utils.FrozenDict", "tokenizers.AddedToken")

Memo = dict[int, Any]  # what was copied already, as deepcopy keeps it


def own_copy(original: Any) -> Any:
    """A copy that can be changed without a trace in the original, which nobody else changes."""
    return copied(original, {})


def copied(value: Any, memo: Memo) -> Any:
    kind: Any = type(value)
    made: Any
    if kind in CONSTANT or is_constant(kind):
        return value
    if id(value) in memo:
        return memo[id(value)]
    if kind is dict:
        made = {key: copied(item, memo) for key, item in value.items()}
    elif kind is list or kind is tuple:
        made = kind([copied(item, memo) for item in value])
    elif kind is Tensor:
        made = value.clone()
    elif is_plain(kind):
        return copied_object(value, memo)
    else:
        return copy.deepcopy(value, memo)
    memo[id(value)] = made
    return made


def copied_object(value: Any, memo: Memo) -> Any:
    """An object that is its attributes; what a tokenizer is made of stays with the original."""
    made = memo[id(value)] = object.__new__(type(value))
    made.__dict__.update(
        {name: copied_part(name, item, memo) for name, item in vars(value).items()}
    )
    return made


def copied_part(name: str, value: Any, memo: Memo) -> Any:
    if name in TABLES:
        return value
    if name == "_tokenizer" and type(value) is not Backend:
        return Backend(value)
    return copied(value, memo)


@cache
def is_constant(kind: type) -> bool:
    """Whether nobody changes such an object; classes of libraries that are not imported for it."""
    return f"{kind.__module__}.{kind.__qualname__}" in TAKEN_FOR_CONSTANT


@cache
def is_plain(kind: type) -> bool:
    """Whether deepcopy would do no more than copy the attributes."""
    usual = all(
        getattr(kind, name, None) is getattr(object, name, None)
        for name in ("__new__", "__reduce__", "__reduce_ex__", "__getstate__")
    )
    own = any(hasattr(kind, name) for name in ("__deepcopy__", "__setstate__"))
    slots = copyreg._slotnames(kind)  # type: ignore[attr-defined]  # typeshed lacks it
    return usual and not own and not slots and hasattr(kind, "__dict__")


class Backend:
    """A tokenizer's backend that it shares with others, until it would change it."""

    def __init__(self, backend: Any) -> None:
        self.__dict__.update(_backend=backend, _shared=True)

    def __getattr__(self, name: str) -> Any:
        if name in CHANGING:
            self._part()
        return getattr(self._backend, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "encode_special_tokens":  # this too is set for each text
            self._part()
        setattr(self._backend, name, value)

    def __deepcopy__(self, memo: Memo) -> Any:
        return Backend(self._backend) if self._shared else copy.deepcopy(self._backend, memo)

    def _part(self) -> None:
        if self._shared:
            self.__dict__.update(_backend=copy.deepcopy(self._backend), _shared=False)
