"""How much a device can hold, beside those of other workers: admission by measured memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from omnifex.overview import alive, engines_of
from omnifex_jobs import Worker


def most_bytes(
    own: Mapping[str, Any], others: Iterable[Worker], modalities: Collection[str]
) -> int | None:
    """What a job may need to be taken here, where a larger device is there to take the rest.

    Where none is, everything is taken: what is too large then runs by layers, or says why not.
    """
    here = memory(own.get("engines", ()))
    larger = [
        worker
        for worker in others
        if memory(engines_of(worker)) > here
        and alive(worker)
        and set(modalities) <= set((worker.status or {}).get("modalities", ()))
    ]
    return here if here and larger else None


def memory(engines: Iterable[Mapping[str, Any]]) -> int:
    """Of the largest of them; 0 where that is not known yet."""
    return max((int(engine["memory_budget"]) for engine in engines), default=0)
