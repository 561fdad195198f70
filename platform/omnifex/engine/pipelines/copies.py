"""Copies of what pipelines change, one for each job, as cheap as the change is likely.

A tokenizer of transformers is a few settings around a backend with tables of many thousand words,
which take longer to copy than a picture takes to make.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

# The backend's methods that change more than how the next text is cut and filled up, which the
# tokenizer sets anew for each text. Between component calls only one job's Python runs.
CHANGING = ("add_special_tokens", "add_tokens", "train", "train_from_iterator")
TABLES = ("_merges", "_vocab")  # what the backend was made of


def own_copy(original: Any) -> Any:
    """A copy that can be changed without a trace in the original, which nobody else changes."""
    kept = {id(part): replacement for part, replacement in shared(original)}
    return copy.deepcopy(original, kept)


def shared(original: Any) -> Iterator[tuple[Any, Any]]:
    """What all copies have in common, of a tokenizer or of the tokenizers of a processor."""
    settings = getattr(original, "__dict__", {})
    for holder in (settings, *(getattr(part, "__dict__", {}) for part in settings.values())):
        yield from ((holder[name], holder[name]) for name in TABLES if name in holder)
        if "_tokenizer" in holder:
            yield holder["_tokenizer"], Backend(holder["_tokenizer"])


class Backend:
    """A tokenizer's backend that it shares with others, until it would change it."""

    def __init__(self, backend: Any) -> None:
        self.__dict__["_backend"] = backend

    def __getattr__(self, name: str) -> Any:
        if name in CHANGING:
            self._part()
        return getattr(self._backend, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "encode_special_tokens":  # this too is set for each text
            self._part()
        setattr(self._backend, name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self._backend, memo)

    def _part(self) -> None:
        self.__dict__["_backend"] = copy.deepcopy(self._backend)
