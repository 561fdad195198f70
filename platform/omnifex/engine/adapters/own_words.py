"""Words of a job's own (textual inversion): rows beside a text encoder's table of tokens.

diffusers makes the table larger for all who use it. Here the table stays as it is; where a call has
tokens that the job's tokenizer alone knows, their rows take the place of what was looked up.
"""

from __future__ import annotations

from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from omnifex.engine.adapters.adapter import Adapter, BadAdapter, Words
from omnifex_registry import Component


class OwnWords:
    """The rows of the words that are switched on for one module."""

    def __init__(self) -> None:
        self.active: tuple[Adapter, ...] = ()
        self._rows: Tensor | None = None  # (tokens, width)
        self._first = 0
        self._places: Tensor | None = None  # in the rows, of the call's tokens
        self._watching = False

    def switch(self, module: Any, component: Component, words: tuple[Adapter, ...]) -> bool:
        """Never a load worth telling: the rows are few."""
        if words == self.active:
            return False
        self.off(module)
        if words:
            table = table_of(module, component)
            self._rows, self._first = rows_of(words, table, component)
            self._watch(table)
        self.active = words
        return False

    def off(self, module: Any) -> None:
        self._rows, self.active = None, ()

    def _watch(self, table: nn.Module) -> None:
        if not self._watching:
            table.register_forward_pre_hook(self._before)
            table.register_forward_hook(self._after)
            self._watching = True

    def _before(self, table: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Any token will do in place of those that the table has not."""
        if self._rows is None:
            return None
        tokens, *other = args
        places = tokens - self._first
        own = (places >= 0) & (places < len(self._rows))
        self._places = torch.where(own, places, -1)
        return (torch.where(own, 0, tokens), *other)

    def _after(self, table: nn.Module, args: tuple[Any, ...], found: Tensor) -> Tensor | None:
        if self._rows is None or self._places is None:
            return None
        places, self._places = self._places, None
        rows = self._rows.to(found.device, found.dtype)
        return torch.where((places >= 0)[..., None], rows[places.clamp(min=0)], found)


def table_of(module: Any, component: Component) -> nn.Module:
    """The module's table of tokens."""
    if not hasattr(module, "get_input_embeddings"):
        raise BadAdapter(
            f"{component.role} is a {component.class_name}, which takes no words of its own."
        )
    table: nn.Module = module.get_input_embeddings()
    return table


def rows_of(words: tuple[Adapter, ...], table: Any, component: Component) -> tuple[Tensor, int]:
    """All rows in the order of their tokens, and the token of the first."""
    placed = sorted((one for one in words if isinstance(one, Words)), key=lambda one: one.first)
    found, width = [read(one) for one in placed], table.weight.shape[1]
    for one, rows in zip(placed, found, strict=True):
        if rows.shape[1] != width:
            raise BadAdapter(
                f"adapter {one.path.name} has rows of {rows.shape[1]} numbers, and those of "
                f"{component.role} have {width}."
            )
    ends = [one.first + len(rows) for one, rows in zip(placed, found, strict=True)]
    follow = all(one.first == end for one, end in zip(placed[1:], ends, strict=False))
    assert follow, "the tokens of a job's words follow one another"
    return torch.cat(found), placed[0].first


def read(words: Words) -> Tensor:
    """The rows of the file, (tokens, width)."""
    with safe_open(words.path, framework="pt") as file:
        rows: Tensor = file.get_tensor(words.tensor)
    return rows if rows.ndim > 1 else rows[None]
