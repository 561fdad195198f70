"""Outputs of components as plain JSON and the bytes of their tensors, and back.

What comes back is what was given, to the bit: types, dtypes, strides, which tensors were one.
Nothing here unpickles, and no class is made that is not known to hold an output.
"""

from __future__ import annotations

import importlib
import sys
from collections import OrderedDict
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from omnifex.engine.batching.signature import LIBRARIES, is_plain_object
from omnifex.engine.durability.raw import buffer, of_bytes, raw_bytes

PLAIN = (type(None), bool, int, float, str)


class Unwritable(Exception):
    """Something in the output is of a kind that cannot be written down."""


class Unreadable(Exception):
    """What was written cannot be made again in this process."""


def packed(output: Any) -> tuple[Any, bytes]:
    """The output's form as JSON values, and its tensors; Unwritable where it holds more."""
    packing = Packing()
    form = packing.form(output)
    return form, packing.data()


def unpacked(form: Any, data: bytes, device: torch.device) -> Any:
    """The output again, on a device that need not be the one it was packed on."""
    try:
        return Unpacking(data, device).value(form)
    except (KeyError, TypeError, ValueError, AttributeError, ImportError, RuntimeError) as error:
        raise Unreadable(str(error)) from error


class Packing:
    """Collects the bytes of an output's tensors while its form is written."""

    def __init__(self) -> None:
        self._parts: list[memoryview] = []
        self._size = 0
        self._forms: dict[int, dict[str, Any]] = {}  # by the tensor's id, so that one stays one

    def form(self, value: Any) -> Any:
        kind = type(value)
        if kind in PLAIN:
            return value
        if isinstance(value, Tensor):
            return self._tensor(value)
        if kind is list:
            return [self.form(item) for item in value]
        if kind is tuple:
            return {"tuple": [self.form(item) for item in value]}
        if kind is dict and all(type(name) is str for name in value):
            return {"dict": {name: self.form(item) for name, item in value.items()}}
        if is_record(kind):
            named = {field.name: getattr(value, field.name) for field in fields(kind)}
        elif is_plain_object(kind):
            named = vars(value)
        else:
            raise Unwritable(f"a {kind.__name__}")
        parts = {name: self.form(item) for name, item in named.items()}
        return {"class": f"{kind.__module__}:{kind.__qualname__}", "parts": parts}

    def data(self) -> bytes:
        return b"".join(self._parts)

    def _tensor(self, tensor: Tensor) -> dict[str, Any]:
        simple = type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided
        if not simple or tensor.is_conj() or tensor.is_neg() or tensor.is_quantized:
            raise Unwritable(f"a {type(tensor).__name__} of layout {tensor.layout}")
        if id(tensor) not in self._forms:
            self._forms[id(tensor)] = self._new(tensor)
        return self._forms[id(tensor)]

    def _new(self, tensor: Tensor) -> dict[str, Any]:
        form: dict[str, Any] = {
            "tensor": len(self._forms),
            "at": self._size,
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
        }
        if tensor.device.type != "cpu":
            form["device"] = tensor.device.type
        if not tensor.is_contiguous():  # kernels choose by it, and so may the next call's bits
            form["stride"] = torch.empty_like(tensor, device="meta").stride()
        self._parts.append(buffer(raw_bytes(tensor)))
        self._size += tensor.nbytes
        return form


class Unpacking:
    """Makes an output again of its form and its tensors."""

    def __init__(self, data: bytes, device: torch.device) -> None:
        self._data, self._device = data, device
        self._made: dict[int, Tensor] = {}

    def value(self, form: Any) -> Any:
        if type(form) in PLAIN:
            return form
        if isinstance(form, list):
            return [self.value(item) for item in form]
        if "tensor" in form:
            return self._tensor(form)
        if "tuple" in form:
            return tuple(self.value(item) for item in form["tuple"])
        if "dict" in form:
            return {name: self.value(item) for name, item in form["dict"].items()}
        return made(form["class"], {name: self.value(part) for name, part in form["parts"].items()})

    def _tensor(self, form: dict[str, Any]) -> Tensor:
        place = form["tensor"]
        if place not in self._made:
            self._made[place] = self._new(form)
        return self._made[place]

    def _new(self, form: dict[str, Any]) -> Tensor:
        dtype, shape = dtype_named(form["dtype"]), form["shape"]
        size = torch.Size(shape).numel() * dtype.itemsize
        found = of_bytes(self._data[form["at"] : form["at"] + size], dtype, shape)
        device = self._device if "device" in form else torch.device("cpu")
        # In memory of torch's own, which is aligned as the first one's was.
        own = torch.empty_strided(
            found.shape, form.get("stride") or found.stride(), dtype=dtype, device=device
        )
        return own.copy_(found)


def is_record(kind: type) -> bool:
    """Whether it is an output class of diffusers or transformers, or made like one."""
    return is_dataclass(kind) and issubclass(kind, OrderedDict)


def made(name: str, parts: dict[str, Any]) -> Any:
    """An object of a class that is known by its name and fit to be made."""
    kind = class_named(name)
    if is_record(kind):
        return kind(**parts)
    if not is_plain_object(kind):
        raise TypeError(f"{name} is no output of a component")
    found: Any = object.__new__(kind)
    vars(found).update(parts)
    return found


def class_named(name: str) -> type:
    """A class of a module that is loaded, or of the libraries."""
    module, _, path = name.partition(":")
    if module.partition(".")[0] in LIBRARIES:
        importlib.import_module(module)
    found = getattr(sys.modules[module], path)
    if not isinstance(found, type):
        raise TypeError(f"{name} is no class")
    return found


def dtype_named(name: str) -> torch.dtype:
    found = getattr(torch, name)
    if not isinstance(found, torch.dtype):
        raise TypeError(f"{name} is no dtype")
    return found
