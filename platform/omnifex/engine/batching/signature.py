"""The signature of a call: all that two calls must have in common to share a batch.

Read for every call of every job, so it walks plain containers itself, several times faster than
torch's pytree does; whatever else is registered there, such as a model's output, goes through it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from omnifex.engine.scheduling.costs import CallKind

if TYPE_CHECKING:
    from omnifex.engine.adapters.adapter import Adapter

PLAIN = frozenset({type(None), bool, int, float, str, bytes, torch.dtype, torch.device, torch.Size})
OPAQUE = "opaque"  # stands for a value whose meaning is not known
LIBRARIES = ("diffusers", "transformers")  # some of whose objects are no more than attributes
MOST_KNOWN = 10_000


@dataclass(frozen=True, eq=False)
class Signature:
    """Of calls that may share a batch there is one object, quick to compare and to look up."""

    component: str
    method: str
    form: Hashable
    adapters: tuple[tuple[str, float], ...]  # ids and weights
    kind: CallKind = field(repr=False)
    rows: int = field(repr=False)


_known: dict[Hashable, Signature] = {}  # the same few come every step


class Reading:
    """What a call's arguments look like: their form, and the tensors in it, in order.

    Of an `output` those objects are known too that are their attributes, such as an autoencoder's
    distribution. Among arguments they are not: a call may change them.
    """

    def __init__(self, value: Any, *, output: bool = False) -> None:
        self.tensors: list[Tensor] = []
        self.generators: list[torch.Generator] = []
        self.known = True  # all values, but for what comes of generators
        self.lists = False  # whether there are any, which the call may take apart
        self._output = output
        (self.form,) = self._forms((value,))

    @property
    def plain(self) -> bool:
        """Whether equal forms and tensors mean the same."""
        return self.known and not self.generators

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
                self.lists |= kind is list
                found.append((kind, *self._forms(value)))
            else:
                found.append(self._registered(value))
        return found

    def _registered(self, value: Any) -> Hashable:
        """An output of a model, a named tuple; anything else says no more than its type."""
        if isinstance(value, enum.Enum):
            return (type(value), value)
        if isinstance(value, torch.Generator):
            self.generators.append(value)
            return (type(value), value.device)
        leaves, structure = tree_flatten(value)
        if structure.is_leaf():
            return self._object(value)
        return (repr(structure), *self._forms(leaves))

    def _object(self, value: Any) -> Hashable:
        kind = type(value)
        if self._output and is_plain_object(kind):
            return (kind, *vars(value), *self._forms(vars(value).values()))
        self.known = False
        return (OPAQUE, kind)


def is_plain_object(kind: type) -> bool:
    """Whether it is a library's object that is its attributes, such as a VAE's distribution."""
    ours = kind.__module__.partition(".")[0] in LIBRARIES
    return ours and kind.__bases__ == (object,) and not hasattr(kind, "__slots__")


def replaced(value: Any, tensors: Iterator[Tensor], *, output: bool = False) -> Any:
    """The same value with other tensors, taken in the order of its reading."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if isinstance(value, Tensor):
        return next(tensors)
    if kind is dict:
        return {name: replaced(item, tensors, output=output) for name, item in value.items()}
    if kind is tuple or kind is list:
        return kind([replaced(item, tensors, output=output) for item in value])
    if output and is_plain_object(kind):
        made = object.__new__(kind)
        made.__dict__.update(replaced(vars(value), tensors, output=True))
        return made
    leaves, structure = tree_flatten(value)
    if structure.is_leaf():
        return value
    return tree_unflatten([replaced(leaf, tensors, output=output) for leaf in leaves], structure)


def mapped(change: Callable[[Tensor], Tensor], value: Any, *, output: bool = False) -> Any:
    """The same value with each tensor changed."""
    tensors = Reading(value, output=output).tensors
    return replaced(value, map(change, tensors), output=output)


def signature_of(
    component: str, method: str, reading: Reading, adapters: Sequence[Adapter] = ()
) -> Signature:
    """The one of all calls that are alike."""
    ids = tuple([(one.id, one.weight) for one in adapters]) if adapters else ()
    key = component, method, reading.form, ids
    found = _known.get(key)
    if found is None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        rows = rows_of(reading.tensors)
        shapes = " ".join(shape_text(tensor, rows) for tensor in reading.tensors)
        if ids:
            shapes += f" {len(ids)} adapters"
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
