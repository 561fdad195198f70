"""The signature of a call: all that two calls must have in common to share a batch.

Read for every call of every job, so it walks plain containers itself, several times faster than
torch's pytree does; whatever else is registered there, such as a model's output, goes through it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

from omnifex.engine.scheduling.costs import CallKind

PLAIN = frozenset({type(None), bool, int, float, str, bytes, torch.dtype, torch.device, torch.Size})
OPAQUE = "opaque"  # stands for a value whose meaning is not known, such as a generator
MOST_KNOWN = 10_000


@dataclass(frozen=True, eq=False)
class Signature:
    """Of calls that may share a batch there is one object, quick to compare and to look up."""

    component: str
    method: str
    form: Hashable
    kind: CallKind = field(repr=False)
    rows: int = field(repr=False)


_known: dict[Hashable, Signature] = {}  # the same few come every step


class Reading:
    """What a call's arguments look like: their form, and the tensors in it, in order."""

    def __init__(self, value: Any) -> None:
        self.tensors: list[Tensor] = []
        self.plain = True
        (self.form,) = self._forms((value,))

    def _forms(self, values: Iterable[Any]) -> Iterable[Hashable]:
        found: list[Hashable] = []
        for value in values:
            kind = type(value)
            if kind in PLAIN:
                found.append((kind, value))
            elif isinstance(value, Tensor):
                self.tensors.append(value)
                found.append((value.shape, value.dtype, value.device))
            elif kind is dict:
                found.append((kind, *value, *self._forms(value.values())))
            elif kind is tuple or kind is list:
                found.append((kind, *self._forms(value)))
            else:
                found.append(self._registered(value))
        return found

    def _registered(self, value: Any) -> Hashable:
        """An output of a model, a named tuple; anything else says no more than its type."""
        if isinstance(value, enum.Enum):
            return (type(value), value)
        leaves, structure = tree_flatten(value)
        if structure.is_leaf():
            self.plain = False
            return (OPAQUE, type(value))
        return (repr(structure), *self._forms(leaves))


def replaced(value: Any, tensors: Iterator[Tensor]) -> Any:
    """The same value with other tensors, taken in the order of its reading."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if isinstance(value, Tensor):
        return next(tensors)
    if kind is dict:
        return {name: replaced(item, tensors) for name, item in value.items()}
    if kind is tuple or kind is list:
        return kind([replaced(item, tensors) for item in value])
    return tree_map(lambda leaf: next(tensors) if isinstance(leaf, Tensor) else leaf, value)


def mapped(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """The same value with each tensor changed."""
    return replaced(value, map(change, Reading(value).tensors))


def signature_of(component: str, method: str, reading: Reading) -> Signature:
    """The one of all calls that are alike."""
    key = component, method, reading.form
    found = _known.get(key)
    if found is None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        rows = rows_of(reading.tensors)
        shapes = " ".join(shape_text(tensor, rows) for tensor in reading.tensors)
        kind = CallKind(component, method, shapes)
        found = _known.setdefault(key, Signature(*key, kind, rows))
    return found


def rows_of(tensors: Sequence[Tensor]) -> int:
    """How many rows a call asks for: the leading size of its first tensor with several axes."""
    several = (tensor.shape[0] for tensor in tensors if tensor.ndim >= 2)
    single = (tensor.shape[0] for tensor in tensors if tensor.ndim == 1)
    return next(several, None) or next(single, None) or 1


def shape_text(tensor: Tensor, rows: int) -> str:
    """Its dtype and shape without the batch axis, "float32[4,64,64]"."""
    shape = tuple(tensor.shape)
    inner = shape[1:] if shape[:1] == (rows,) else shape
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(inner)}".replace(" ", "")
