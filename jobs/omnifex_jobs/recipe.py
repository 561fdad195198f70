"""The immutable description of everything that decides an output, named by its hash."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from omnifex_jobs.errors import InvalidRecipe

_REFERENCE = re.compile("(sha256|job):\\w+")


@dataclass(frozen=True)
class Recipe:
    """Plain JSON and its hash; `body` is a private copy."""

    body: Mapping[str, Any]
    canonical: bytes = field(init=False, repr=False)  # UTF-8 JSON, sorted keys, no spaces
    hash: str = field(init=False)  # "sha256:" and 64 hex digits, over `canonical`

    def __post_init__(self) -> None:
        canonical = canonical_json(self.body)
        object.__setattr__(self, "canonical", canonical)
        object.__setattr__(self, "body", json.loads(canonical))
        object.__setattr__(self, "hash", "sha256:" + hashlib.sha256(canonical).hexdigest())

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def words(self) -> str:
        """The text values of the request, case-folded, one a line: what the search looks through.

        References to files and jobs are left out, and the rest of the recipe where there is a
        request: nobody looks for the hash of a component.
        """
        texts = _texts(self.body.get("request", self.body))
        return "\n".join(text for text in texts if not _REFERENCE.fullmatch(text)).casefold()


def canonical_json(body: Mapping[str, Any]) -> bytes:
    """The bytes that are hashed: equal recipes give equal bytes in every process and version."""
    try:
        if not all(isinstance(key, str) for key in _keys(body)):
            raise TypeError("a key is not text")
        text = json.dumps(
            dict(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRecipe(str(error)) from error


def _keys(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for item in value:
        yield from _keys(item)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
